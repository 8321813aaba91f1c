//! Servers, instances on them, and what they asked Redis for.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use dev_servers::RedisServer;
pub use ports::native::TestClient as Client;
use ports::native::{NativeConnection, NativeRedis, NativeRuntime};
use ports::{Arg, Connect, Connection, Redis, RedisError, Reply};
use token_lock::{Acquired, Grant, Locks, Resource, Settings};

/// A port that remembers which commands went through it, on which connection.
pub struct Recording {
    inner: NativeRedis,
    commands: Rc<RefCell<Vec<String>>>,
}

/// A connection of one's own; its commands are remembered with a `*`.
pub struct RecordingConnection(NativeConnection, Rc<RefCell<Vec<String>>>);

impl Redis for Recording {
    async fn execute(&self, command: &str, args: Vec<Arg>) -> Result<Vec<Reply>, RedisError> {
        self.commands.borrow_mut().push(command.to_owned());
        assert!(command != "DELEX" || args.get(1) == Some(&"IFEQ".into()), "a bare DELEX deletes anything");
        self.inner.execute(command, args).await
    }

    fn reconnect(&self) {
        self.inner.reconnect();
    }
}

impl Connect for Recording {
    type Connection = RecordingConnection;

    async fn connect(&self) -> Result<RecordingConnection, RedisError> {
        self.commands.borrow_mut().push("connect".to_owned());
        Ok(RecordingConnection(self.inner.connect().await?, Rc::clone(&self.commands)))
    }
}

impl Connection for RecordingConnection {
    async fn execute(&self, command: &str, args: Vec<Arg>) -> Result<Vec<Reply>, RedisError> {
        self.1.borrow_mut().push(format!("*{command}"));
        self.0.execute(command, args).await
    }
}

/// One instance.
pub struct Instance {
    pub locks: Rc<Locks<Recording, NativeRuntime>>,
    commands: Rc<RefCell<Vec<String>>>,
}

impl Instance {
    pub fn new<'a>(servers: impl IntoIterator<Item = &'a RedisServer>) -> Self {
        Self::with(servers, Settings::default())
    }

    pub fn with<'a>(servers: impl IntoIterator<Item = &'a RedisServer>, settings: Settings) -> Self {
        let commands = Rc::default();
        let port = |server: &RedisServer| Recording {
            inner: NativeRedis::new(&server.url()).expect("a Redis URL"),
            commands: Rc::clone(&commands),
        };
        let servers = servers.into_iter().map(port).collect();
        Self { locks: Locks::new(servers, NativeRuntime::new(), settings), commands }
    }

    /// The lock on one resource, which is free.
    pub async fn grant(&self, resource: &Resource, ttl_ms: u64) -> Grant {
        self.try_grant(resource, ttl_ms).await.expect("the resource is free")
    }

    /// The lock on one resource; `None` if somebody else has it.
    pub async fn try_grant(&self, resource: &Resource, ttl_ms: u64) -> Option<Grant> {
        match self.locks.acquire(std::slice::from_ref(resource), ttl_ms).await.expect("Redis answers") {
            Acquired::Granted(mut grants) => grants.pop(),
            Acquired::Taken { .. } => None,
        }
    }

    /// The commands since the last call.
    pub fn take_commands(&self) -> Vec<String> {
        self.commands.take()
    }
}

pub fn resource(name: &str) -> Resource {
    Resource::new(name).expect("a valid name")
}

/// Runs a test with a Redis server of its own, with local tasks.
pub async fn on_redis(test: impl AsyncFnOnce(RedisServer)) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = start(folder.path()).await;
    tokio::task::LocalSet::new().run_until(test(server)).await;
}

/// The same with three independent servers.
pub async fn on_three(test: impl AsyncFnOnce([RedisServer; 3])) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let servers = [start(&folder.join("0")).await, start(&folder.join("1")).await, start(&folder.join("2")).await];
    tokio::task::LocalSet::new().run_until(test(servers)).await;
}

async fn start(folder: &Path) -> RedisServer {
    RedisServer::start(folder).await.expect("redis-server is installed and starts")
}

/// What a server is asked by anybody.
pub struct Monitor(tokio::io::Lines<tokio::io::BufReader<tokio::net::TcpStream>>);

impl Monitor {
    pub async fn of(server: &RedisServer) -> Self {
        use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", server.port())).await;
        let mut stream = stream.expect("the server listens");
        stream.write_all(b"MONITOR\r\n").await.expect("it reads");
        let mut lines = BufReader::new(stream).lines();
        assert_eq!(lines.next_line().await.expect("it answers").as_deref(), Some("+OK"));
        Self(lines)
    }

    /// Waits for a line that contains `last`; what was asked until then.
    pub async fn line(&mut self, last: &str) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            let line = self.0.next_line().await.expect("it answers").expect("it lives");
            if line.contains(last) {
                return seen;
            }
            seen.push(line);
        }
    }
}
