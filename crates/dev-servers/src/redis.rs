//! A private Redis server.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{Error, Output, Port, Process, Signal, programs, secret};

/// How long a start may take, including the loading of a dump.
const START: Duration = Duration::from_secs(30);
const DUMP: &str = "dump.rdb";
const LOG: &str = "redis.log";
const CONFIG: &str = "redis.conf";

/// How a server is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisOptions {
    /// The most memory for data, as in redis.conf.
    max_memory: &'static str,
    /// What a full server does, as in redis.conf.
    policy: &'static str,
    /// What clients must send; `None`: every local user may connect.
    password: Option<String>,
}

impl RedisOptions {
    /// For caching, like the deployed one: 128 MB, evicts what was not used for the longest time.
    pub fn cache() -> Self {
        Self { max_memory: "128mb", policy: "allkeys-lru", password: None }
    }

    /// For locks: 32 MB, about 100,000 of them; evicts nothing, because a lock that is evicted can be granted again.
    pub fn locks() -> Self {
        Self { max_memory: "32mb", policy: "noeviction", password: None }
    }

    /// With this password: letters and digits.
    #[must_use]
    pub fn password(self, password: String) -> Self {
        Self { password: Some(password), ..self }
    }
}

/// A Redis server on 127.0.0.1 that never saves automatically.
#[derive(Debug)]
pub struct RedisServer {
    folder: PathBuf,
    options: RedisOptions,
    port: Port,
    process: Process,
}

impl RedisServer {
    /// Starts an empty server for caching, without a password. Creates `folder`, which gets the log.
    ///
    /// # Errors
    /// [`Error::NotInstalled`], or the reason why it does not answer PING.
    pub async fn start(folder: &Path) -> Result<Self, Error> {
        Self::start_with(folder, RedisOptions::cache()).await
    }

    /// As [`RedisServer::start`], with other options.
    ///
    /// # Errors
    /// As [`RedisServer::start`].
    pub async fn start_with(folder: &Path, options: RedisOptions) -> Result<Self, Error> {
        delete_dump(folder)?;
        Self::start_with_dump(folder, options).await
    }

    /// Starts a server with the data that [`RedisServer::stop_and_save`] saved in `folder`; empty if there is none.
    /// Deletes the dump once it is loaded: after a kill, a start from it would bring back old versions.
    ///
    /// # Errors
    /// As [`RedisServer::start`]. A dump that cannot be loaded is deleted, because it contains only cached data.
    pub async fn start_saved(folder: &Path, options: RedisOptions) -> Result<Self, Error> {
        let server = match Self::start_with_dump(folder, options.clone()).await {
            Err(Error::Ended { .. }) if folder.join(DUMP).exists() => return Self::start_with(folder, options).await,
            other => other?,
        };
        delete_dump(folder)?;
        Ok(server)
    }

    async fn start_with_dump(folder: &Path, options: RedisOptions) -> Result<Self, Error> {
        std::fs::create_dir_all(folder).map_err(Error::io(format!("create {}", folder.display())))?;
        let port = Port::reserve()?;
        let process = spawn(&programs::redis_server()?, folder, port.number(), &options)?;
        let mut server = Self { folder: folder.into(), options, port, process };
        server.ready().await?;
        Ok(server)
    }

    async fn ready(&mut self) -> Result<(), Error> {
        let (port, password) = (self.port.number(), self.options.password.as_deref());
        // While Redis loads a dump it answers -LOADING.
        let is_ready = async || send(port, password, "PING").await.is_ok_and(|reply| reply == "+PONG");
        self.process.until(START, is_ready).await
    }

    /// `redis://127.0.0.1:port`, with the user `default` and the password if there is one. (Without the user, redis-cli
    /// sends an empty one.)
    pub fn url(&self) -> String {
        let password =
            self.options.password.as_ref().map(|password| format!("default:{password}@")).unwrap_or_default();
        format!("redis://{password}127.0.0.1:{}", self.port.number())
    }

    /// The port that it listens on. A restart does not change it.
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

    /// Waits until the server exits.
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

    /// Kills the server if it runs and starts it again, empty, on the same port. If the future is dropped early, the
    /// new server may still be starting.
    ///
    /// # Errors
    /// As [`RedisServer::start`].
    pub async fn restart(&mut self) -> Result<(), Error> {
        self.replace(&programs::redis_server()?).await
    }

    /// As [`RedisServer::restart`], but starts another `program`.
    ///
    /// # Errors
    /// As [`RedisServer::start`].
    pub async fn replace(&mut self, program: &Path) -> Result<(), Error> {
        self.kill().await?;
        delete_dump(&self.folder)?;
        self.process = spawn(program, &self.folder, self.port.number(), &self.options)?;
        self.ready().await
    }

    /// Suspends the process (SIGSTOP): connections stay open and the server answers nothing.
    pub fn pause(&self) {
        self.process.signal(Signal::STOP);
    }

    /// Ends [`RedisServer::pause`].
    pub fn resume(&self) {
        self.process.signal(Signal::CONT);
    }

    /// Saves the data for the next [`RedisServer::start_saved`] and stops.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::TooSlow`]; then nothing is saved.
    pub async fn stop_and_save(mut self) -> Result<(), Error> {
        // Redis closes the connection without a reply.
        let limit = match send(self.port.number(), self.options.password.as_deref(), "SHUTDOWN SAVE").await {
            // It has ended, or its restart was interrupted: it has nothing to save.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => Duration::ZERO,
            _ => START,
        };
        match self.process.wait(limit).await {
            Some(status) if status.success() => Ok(()),
            _ => {
                self.kill().await?;
                delete_dump(&self.folder)
            }
        }
    }
}

fn delete_dump(folder: &Path) -> Result<(), Error> {
    let dump = folder.join(DUMP);
    match std::fs::remove_file(&dump) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io(format!("delete {}", dump.display()))(error))
        }
        _ => Ok(()),
    }
}

fn spawn(program: &Path, folder: &Path, port: u16, options: &RedisOptions) -> Result<Process, Error> {
    let RedisOptions { max_memory, policy, password } = options;
    let mut config = format!("maxmemory {max_memory}\nmaxmemory-policy {policy}\n");
    if let Some(password) = password {
        config.push_str(&format!("requirepass {password}\n"));
    }
    // In a file, because every user of this machine can read the arguments of a process.
    let path = folder.join(CONFIG);
    secret::write(&path, &config).map_err(Error::io(format!("write {}", path.display())))?;
    let mut command = Command::new(program);
    command.arg(path).args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--dbfilename", DUMP]);
    command.args(["--save", "", "--appendonly", "no"]).arg("--dir").arg(folder);
    Process::spawn("redis-server", command, Output::Log(&folder.join(LOG)), Signal::KILL)
}

/// Sends one inline command, after the password, and returns a reply of one line.
async fn send(port: u16, password: Option<&str>, command: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    if let Some(password) = password {
        ask(&mut stream, &format!("AUTH {password}")).await?;
    }
    ask(&mut stream, command).await
}

async fn ask(stream: &mut TcpStream, command: &str) -> std::io::Result<String> {
    stream.write_all(format!("{command}\r\n").as_bytes()).await?;
    let mut reply = Vec::new();
    while !reply.ends_with(b"\r\n") && stream.read_buf(&mut reply).await? > 0 {}
    Ok(String::from_utf8_lossy(&reply).trim_end().to_owned())
}
