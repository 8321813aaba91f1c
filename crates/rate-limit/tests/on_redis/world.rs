//! What every test is given: a Redis server of its own, instances of the limiter with a clock that the test sets, and a
//! plain Redis client.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use dev_servers::RedisServer;
use ports::native::{NativeConnection, NativeRedis, NativeRuntime, TestClient};
use ports::{Arg, Connect, Connection, Redis, RedisError, Reply, Runtime};
use rate_limit::{Class, Classes, Decision, RateLimiter, Settings};

/// For tests that are not about deadlines: a busy machine is slow.
pub const PATIENT: Settings = Settings { timeout_ms: 60_000, circuit_open_ms: 100 };
/// A limit for what takes milliseconds, also on a busy machine.
pub const LONG: Duration = Duration::from_secs(30);
/// The time at the start of each test, in Unix milliseconds: a minute begins.
pub const START_MS: u64 = 1_795_219_200_000;

pub struct World {
    pub server: RedisServer,
    /// The wall clock of all instances, in Unix milliseconds.
    pub now_ms: Rc<Cell<u64>>,
    /// Two instances with [`PATIENT`] settings.
    pub one: Instance,
    pub other: Instance,
}

/// Runs a test with a Redis server.
pub async fn on_redis(test: impl AsyncFnOnce(World)) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = RedisServer::start(folder.path()).await.expect("redis-server is installed and starts");
    let now_ms = Rc::new(Cell::new(START_MS));
    let instance = || Instance::new(&server, &now_ms, PATIENT);
    let (one, other) = (instance(), instance());
    tokio::task::LocalSet::new().run_until(test(World { server, now_ms, one, other })).await;
}

impl World {
    /// Another instance, without connections.
    pub fn instance(&self, settings: Settings) -> Instance {
        Instance::new(&self.server, &self.now_ms, settings)
    }

    /// A plain client.
    pub fn redis(&self) -> TestClient {
        TestClient::new(&self.server.url())
    }

    /// Sets the wall clock of all instances to so many milliseconds after the start.
    pub fn set_clock(&self, ms: u64) {
        self.now_ms.set(START_MS + ms);
    }

    pub async fn has_increx(&self) -> bool {
        self.redis().say("COMMAND INFO INCREX").await != [Reply::Nil]
    }

    /// Waits until the counter `key` holds `count`.
    pub async fn until_count(&self, key: &str, count: i64) {
        let redis = self.redis();
        let read = if self.has_increx().await { format!("GET {key}") } else { format!("ZSCORE {key} n") };
        let give_up = Instant::now() + LONG;
        while redis.say(&read).await[0].as_int() != Some(count) {
            assert!(Instant::now() < give_up, "{key} does not become {count}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The keys in Redis, each with its TTL in milliseconds (-1: none).
    pub async fn ttls(&self) -> Vec<(String, i64)> {
        let redis = self.redis();
        let mut ttls = Vec::new();
        for key in redis.say("KEYS *").await {
            let key = String::from_utf8(key.into_bytes().expect("a key")).expect("UTF-8");
            let ttl = redis.say(&format!("PTTL {key}")).await[0].as_int().expect("a number");
            ttls.push((key, ttl));
        }
        ttls
    }
}

/// The class `default` with this policy.
pub fn class(policy: &str) -> Class {
    Classes::parse(policy, "").expect("valid").select("users", false).expect("there is a default").clone()
}

/// An instance of the limiter.
pub struct Instance {
    pub limiter: Rc<RateLimiter<Recording, Clock>>,
    commands: Commands,
}

impl Instance {
    fn new(server: &RedisServer, now_ms: &Rc<Cell<u64>>, settings: Settings) -> Self {
        let commands = Commands::default();
        let inner = NativeRedis::new(&server.url()).expect("a Redis URL");
        let redis = Recording { inner, commands: Rc::clone(&commands) };
        let clock = Clock { native: NativeRuntime::default(), now_ms: Rc::clone(now_ms) };
        Self { limiter: RateLimiter::new(redis, Rc::new(clock), settings), commands }
    }

    /// Sends a request that counts as one.
    pub async fn send(&self, class: &Class, client: &str) -> Decision {
        self.limiter.check(class, client, 1).await
    }

    /// Whether such a request is allowed. Redis must reply.
    pub async fn is_allowed(&self, class: &Class, client: &str) -> bool {
        match self.send(class, client).await {
            Decision::Allowed(_) => true,
            Decision::Refused(_) => false,
            Decision::Bypassed(why) => panic!("Redis must reply: {why}"),
        }
    }

    /// The commands since the last call. Those on a dedicated connection begin with `*`.
    pub fn take_commands(&self) -> Vec<String> {
        self.commands.take()
    }
}

/// The real timers, and a wall clock that the test sets.
pub struct Clock {
    native: NativeRuntime,
    now_ms: Rc<Cell<u64>>,
}

impl Runtime for Clock {
    fn unix_ms(&self) -> u64 {
        self.now_ms.get()
    }

    fn monotonic_ms(&self) -> u64 {
        self.native.monotonic_ms()
    }

    fn random_u64(&self) -> u64 {
        self.native.random_u64()
    }

    async fn sleep(&self, ms: u64) {
        self.native.sleep(ms).await;
    }

    fn spawn(&self, work: impl Future<Output = ()> + 'static) {
        self.native.spawn(work);
    }
}

type Commands = Rc<RefCell<Vec<String>>>;

/// A Redis client that records its commands.
pub struct Recording {
    inner: NativeRedis,
    commands: Commands,
}

pub struct RecordingConnection {
    inner: NativeConnection,
    commands: Commands,
}

impl Redis for Recording {
    async fn execute(&self, command: &str, args: Vec<Arg>) -> Result<Vec<Reply>, RedisError> {
        self.commands.borrow_mut().push(command.to_owned());
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
