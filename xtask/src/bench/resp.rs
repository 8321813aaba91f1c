//! A small Redis client (RESP2) with one connection: measures commands without a component, and fills Redis.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, bail, ensure};

/// A connection.
pub struct Connection {
    stream: BufReader<TcpStream>,
}

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nil.
    Nil,
    /// A status such as `OK`, or a bulk string.
    Text(String),
    /// An integer.
    Int(i64),
    /// An array.
    Array(Vec<Reply>),
}

impl Connection {
    /// Connects to the server at this port of 127.0.0.1.
    ///
    /// # Errors
    /// If no server listens there.
    pub fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).context("cannot connect to Redis")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Runs one command.
    ///
    /// # Errors
    /// If the connection breaks or the reply is an error.
    pub fn run(&mut self, words: &[&str]) -> Result<Reply> {
        let mut replies = self.run_all(&[words])?;
        replies.pop().context("there is one reply for each command")
    }

    /// Sends all commands in one write and waits for all replies.
    ///
    /// # Errors
    /// As [`Connection::run`].
    pub fn run_all(&mut self, commands: &[&[&str]]) -> Result<Vec<Reply>> {
        self.send(commands)?;
        commands.iter().map(|_| self.receive()).collect()
    }

    /// Sends all commands in one write. The caller receives each reply with [`Connection::receive`].
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn send(&mut self, commands: &[&[&str]]) -> Result<()> {
        let mut bytes = Vec::new();
        for words in commands {
            write!(bytes, "*{}\r\n", words.len())?;
            for word in *words {
                write!(bytes, "${}\r\n{word}\r\n", word.len())?;
            }
        }
        Ok(self.stream.get_mut().write_all(&bytes)?)
    }

    /// The next reply.
    ///
    /// # Errors
    /// As [`Connection::run`].
    pub fn receive(&mut self) -> Result<Reply> {
        let mut line = String::new();
        ensure!(self.stream.read_line(&mut line)? > 0, "Redis closed the connection");
        let line = line.trim_end();
        let (kind, rest) = line.split_at_checked(1).context("Redis sent an empty line")?;
        Ok(match kind {
            "+" => Reply::Text(rest.into()),
            ":" => Reply::Int(rest.parse()?),
            "$" | "*" if rest == "-1" => Reply::Nil,
            "$" => {
                let mut bytes = vec![0; rest.parse::<usize>()? + 2];
                self.stream.read_exact(&mut bytes)?;
                bytes.truncate(bytes.len() - 2);
                Reply::Text(String::from_utf8(bytes)?)
            }
            "*" => Reply::Array((0..rest.parse()?).map(|_| self.receive()).collect::<Result<_>>()?),
            _ => bail!("Redis replied {line}"),
        })
    }
}
