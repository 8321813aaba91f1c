//! A private Redis server.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{Error, Output, Port, Process, Signal, programs};

/// How long a start may take, loading a dump included.
const START: Duration = Duration::from_secs(30);
const DUMP: &str = "dump.rdb";
const LOG: &str = "redis.log";

/// A Redis server on 127.0.0.1 that never saves by itself and evicts as the deployed one does (128 MB, `allkeys-lru`).
#[derive(Debug)]
pub struct RedisServer {
    folder: PathBuf,
    port: Port,
    process: Process,
}

impl RedisServer {
    /// Starts an empty server; `folder` is created and takes its log.
    ///
    /// # Errors
    /// [`Error::NotInstalled`], or what kept it from answering PING.
    pub async fn start(folder: &Path) -> Result<Self, Error> {
        Self::forget(folder)?;
        Self::start_as_is(folder).await
    }

    /// Starts a server with what [`RedisServer::stop_and_keep`] left in `folder`, or empty. The dump is deleted as soon
    /// as it is loaded: one that was still there after a kill would bring back versions that have been overtaken.
    ///
    /// # Errors
    /// As [`RedisServer::start`]. A dump that cannot be loaded is dropped, for everything in it is a cache.
    pub async fn start_kept(folder: &Path) -> Result<Self, Error> {
        let server = match Self::start_as_is(folder).await {
            Err(Error::Ended { .. }) if folder.join(DUMP).exists() => return Self::start(folder).await,
            other => other?,
        };
        Self::forget(folder)?;
        Ok(server)
    }

    async fn start_as_is(folder: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(folder).map_err(Error::io(format!("create {}", folder.display())))?;
        let port = Port::reserve()?;
        let process = spawn(&programs::redis_server()?, folder, port.number())?;
        let mut server = Self { folder: folder.into(), port, process };
        server.ready().await?;
        Ok(server)
    }

    async fn ready(&mut self) -> Result<(), Error> {
        let port = self.port.number();
        // While a dump is being loaded the answer is -LOADING.
        self.process.until(START, async || say(port, "PING").await.is_ok_and(|answer| answer == "+PONG")).await
    }

    fn forget(folder: &Path) -> Result<(), Error> {
        let dump = folder.join(DUMP);
        match std::fs::remove_file(&dump) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io(format!("delete {}", dump.display()))(error))
            }
            _ => Ok(()),
        }
    }

    /// `redis://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port.number())
    }

    /// The port that it listens on, the same after every restart.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The server's process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The file that the server logs to.
    pub fn log(&self) -> PathBuf {
        self.folder.join(LOG)
    }

    /// Waits until the server ends, by itself or by somebody else's doing.
    pub async fn ended(&mut self) -> ExitStatus {
        self.process.ended().await
    }

    /// Kills the server with SIGKILL; its port refuses connections when this returns.
    ///
    /// # Errors
    /// [`Error::TooSlow`] if the operating system does not end it.
    pub async fn kill(&mut self) -> Result<(), Error> {
        self.process.stop(Signal::KILL, START).await.map(drop)
    }

    /// Kills the server if it runs and starts it again, empty, on the same port. Dropped before it returns, it may leave
    /// one that is still starting.
    ///
    /// # Errors
    /// As [`RedisServer::start`].
    pub async fn restart(&mut self) -> Result<(), Error> {
        self.replace(&programs::redis_server()?).await
    }

    /// The same with another `program` in its place.
    ///
    /// # Errors
    /// As [`RedisServer::start`].
    pub async fn replace(&mut self, program: &Path) -> Result<(), Error> {
        self.kill().await?;
        Self::forget(&self.folder)?;
        self.process = spawn(program, &self.folder, self.port.number())?;
        self.ready().await
    }

    /// Stops the process without ending it (SIGSTOP): connections stay open and nothing is answered.
    pub fn pause(&self) {
        self.process.signal(Signal::STOP);
    }

    /// Goes on after [`RedisServer::pause`].
    pub fn resume(&self) {
        self.process.signal(Signal::CONT);
    }

    /// Saves everything and stops, for the next [`RedisServer::start_kept`].
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::TooSlow`]; then nothing is kept.
    pub async fn stop_and_keep(mut self) -> Result<(), Error> {
        // Redis closes the connection instead of answering.
        let limit = match say(self.port.number(), "SHUTDOWN SAVE").await {
            // It has ended, or its restart was cut short: it was not told to end and has nothing to keep.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => Duration::ZERO,
            _ => START,
        };
        match self.process.wait(limit).await {
            Some(status) if status.success() => Ok(()),
            _ => {
                self.kill().await?;
                Self::forget(&self.folder)
            }
        }
    }
}

fn spawn(program: &Path, folder: &Path, port: u16) -> Result<Process, Error> {
    let mut command = Command::new(program);
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--dbfilename", DUMP]);
    command.args(["--save", "", "--appendonly", "no", "--maxmemory", "128mb", "--maxmemory-policy", "allkeys-lru"]);
    command.arg("--dir").arg(folder);
    Process::spawn("redis-server", command, Output::Log(&folder.join(LOG)), Signal::KILL)
}

/// Sends one inline command and returns the first line of the answer.
async fn say(port: u16, command: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(format!("{command}\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n") && stream.read_buf(&mut answer).await? > 0 {}
    Ok(String::from_utf8_lossy(&answer).trim_end().to_owned())
}
