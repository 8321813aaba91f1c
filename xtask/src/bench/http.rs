//! A small HTTP client on one keep-alive connection: for a look at what is about to be measured, and for loads whose
//! requests depend on earlier answers, which wrk cannot make.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// Longer than anything that is measured takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// A connection.
pub struct Client {
    address: String,
    stream: BufReader<TcpStream>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    head: String,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(':'));
        fields.into_iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    fn status(&self) -> Option<u16> {
        self.head.split(' ').nth(1)?.parse().ok()
    }
}

impl Client {
    /// Connects to `127.0.0.1:port`.
    ///
    /// # Errors
    /// If nobody listens there.
    pub fn connect(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { address: address.into(), stream: BufReader::new(stream) })
    }

    /// Sends a request whose body, if there is one, is JSON, and returns the answer.
    ///
    /// # Errors
    /// If the connection breaks, or the answer's status is not `status`.
    pub fn send(
        &mut self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        body: &str,
        status: u16,
    ) -> Result<Answer> {
        let answer = self.exchange(method, path, fields, body).with_context(|| format!("{method} {path} failed"))?;
        if answer.status() != Some(status) {
            bail!("{method} {path} should answer {status}, and answers\n{}\n{}", answer.head, answer.body);
        }
        Ok(answer)
    }

    fn exchange(&mut self, method: &str, path: &str, fields: &[(&str, &str)], body: &str) -> Result<Answer> {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.address);
        for (name, value) in fields {
            request += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            request += &format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
        }
        // In one piece, so that the server has all of it at once.
        self.stream.get_mut().write_all([&request, "\r\n", body].concat().as_bytes())?;
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            ensure!(self.stream.read_line(&mut head)? > 0, "the connection was closed");
        }
        let mut answer = Answer { head, body: String::new() };
        let length = answer.header("content-length").and_then(|length| length.parse().ok());
        if answer.status() != Some(304) {
            let mut bytes = vec![0; length.context("an answer without content-length")?];
            self.stream.read_exact(&mut bytes)?;
            answer.body = String::from_utf8(bytes)?;
        }
        Ok(answer)
    }
}

/// Sends GET on a connection of its own and returns the answer.
///
/// # Errors
/// If the status is not `status`.
pub fn expect(address: &str, path: &str, fields: &[(&str, &str)], status: u16) -> Result<Answer> {
    Client::connect(address)?.send("GET", path, fields, "", status)
}
