//! What every test is given: Redis servers of its own, two clients of the locks, and a plain Redis client.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use dev_servers::RedisServer;
use ports::native::{NativeConnection, NativeRedis, NativeRuntime, TestClient};
use ports::{Arg, Connect, Connection, Redis, RedisError, Reply};
use token_lock::{Acquired, Grant, Locks, Resource, Settings};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// For tests that are not about deadlines: a busy machine is slow.
pub const PATIENT: Settings = Settings { timeout_ms: 60_000, circuit_open_ms: 100 };
/// A limit for what takes milliseconds, also on a busy machine.
pub const LONG: Duration = Duration::from_secs(30);

pub struct World {
    pub servers: Vec<RedisServer>,
    /// Two clients of the locks, on all servers, with [`PATIENT`] settings.
    pub one: Instance,
    pub other: Instance,
}

/// Runs a test with one Redis server.
pub async fn on_redis(test: impl AsyncFnOnce(World)) {
    given(1, test).await;
}

/// Runs a test with three independent Redis servers.
pub async fn on_three(test: impl AsyncFnOnce(World)) {
    given(3, test).await;
}

async fn given(servers: usize, test: impl AsyncFnOnce(World)) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let start = async |folder: &Path| RedisServer::start(folder).await.expect("redis-server is installed and starts");
    let mut started = Vec::new();
    for at in 0..servers {
        started.push(start(&folder.path().join(at.to_string())).await);
    }
    let (one, other) = (Instance::new(&started, PATIENT, None), Instance::new(&started, PATIENT, None));
    tokio::task::LocalSet::new().run_until(test(World { servers: started, one, other })).await;
}

impl World {
    /// Another client of the locks, without connections.
    pub fn instance(&self, settings: Settings) -> Instance {
        Instance::new(&self.servers, settings, None)
    }

    /// Another client, whose SETs with NX to the last server each wait for a permit.
    pub fn instance_with_late_sets(&self) -> (Instance, Rc<Semaphore>) {
        let permits = Rc::new(Semaphore::new(0));
        (Instance::new(&self.servers, PATIENT, Some(&permits)), permits)
    }

    /// A plain client of the first server.
    pub fn redis(&self) -> TestClient {
        self.redis_at(0)
    }

    pub fn redis_at(&self, at: usize) -> TestClient {
        TestClient::new(&self.servers[at].url())
    }

    /// Whether none of these keys exists on the first server.
    pub async fn is_gone(&self, keys: &str) -> bool {
        self.redis().say(&format!("EXISTS {keys}")).await == [Reply::Int(0)]
    }

    /// Waits until the key is gone from the first server.
    pub async fn until_gone(&self, key: &str) {
        until_existing(&self.redis(), key, 0).await;
    }

    /// Records the commands that the first server receives.
    pub async fn monitor(&self) -> Monitor {
        let mut stream = TcpStream::connect(("127.0.0.1", self.servers[0].port())).await.expect("it listens");
        stream.write_all(b"MONITOR\r\n").await.expect("it reads");
        let mut lines = BufReader::new(stream).lines();
        assert_eq!(lines.next_line().await.expect("it replies").as_deref(), Some("+OK"));
        Monitor(lines)
    }
}

/// Waits until this many (0 or 1) of the key exist.
pub async fn until_existing(redis: &TestClient, key: &str, number: i64) {
    let give_up = Instant::now() + LONG;
    while redis.say(&format!("EXISTS {key}")).await != [Reply::Int(number)] {
        assert!(Instant::now() < give_up, "EXISTS {key} is not {number}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub fn resource(name: &str) -> Resource {
    Resource::new(name).expect("a valid name")
}

/// A client of the locks, as one instance of a component has it.
pub struct Instance {
    pub locks: Rc<Locks<Recording, NativeRuntime>>,
    commands: Commands,
}

impl Instance {
    fn new(servers: &[RedisServer], settings: Settings, permits: Option<&Rc<Semaphore>>) -> Self {
        let commands = Commands::default();
        let port = |(at, server): (usize, &RedisServer)| Recording {
            inner: NativeRedis::new(&server.url()).expect("a Redis URL"),
            commands: Rc::clone(&commands),
            permits: permits.filter(|_| at + 1 == servers.len()).cloned(),
        };
        let servers = servers.iter().enumerate().map(port).collect();
        Self { locks: Locks::new(servers, NativeRuntime::default(), settings), commands }
    }

    /// Locks a resource that is free.
    pub async fn grant(&self, resource: &Resource, ttl_ms: u64) -> Grant {
        self.try_grant(resource, ttl_ms).await.expect("the resource is free")
    }

    /// Tries to lock a resource; `None` if another client holds it.
    pub async fn try_grant(&self, resource: &Resource, ttl_ms: u64) -> Option<Grant> {
        match self.locks.acquire(std::slice::from_ref(resource), ttl_ms).await.expect("Redis replies") {
            Acquired::Granted(mut grants) => grants.pop(),
            Acquired::Taken { .. } => None,
        }
    }

    /// The commands since the last call. Those on a dedicated connection begin with `*`.
    pub fn take_commands(&self) -> Vec<String> {
        self.commands.take()
    }
}

type Commands = Rc<RefCell<Vec<String>>>;

/// A Redis client that records its commands.
pub struct Recording {
    inner: NativeRedis,
    commands: Commands,
    /// Each SET with NX waits for one of them.
    permits: Option<Rc<Semaphore>>,
}

pub struct RecordingConnection {
    inner: NativeConnection,
    commands: Commands,
}

impl Redis for Recording {
    async fn execute(&self, command: &str, args: Vec<Arg>) -> Result<Vec<Reply>, RedisError> {
        self.commands.borrow_mut().push(command.to_owned());
        if let Some(permits) = self.permits.as_ref().filter(|_| command == "SET" && args.get(2) == Some(&"NX".into())) {
            permits.acquire().await.expect("it is never closed").forget();
        }
        assert!(command != "DELEX" || args.get(1) == Some(&"IFEQ".into()), "a bare DELEX deletes any value");
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
        Ok(RecordingConnection { inner: self.inner.connect().await?, commands: Rc::clone(&self.commands) })
    }
}

impl Connection for RecordingConnection {
    async fn execute(&self, command: &str, args: Vec<Arg>) -> Result<Vec<Reply>, RedisError> {
        self.commands.borrow_mut().push(format!("*{command}"));
        self.inner.execute(command, args).await
    }
}

/// The commands that a server receives from all clients.
pub struct Monitor(Lines<BufReader<TcpStream>>);

impl Monitor {
    /// Waits for a command that contains `last`, and returns those before it.
    pub async fn until(&mut self, last: &str) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            let line = self.0.next_line().await.expect("it replies").expect("it runs");
            if line.contains(last) {
                return seen;
            }
            seen.push(line);
        }
    }
}
