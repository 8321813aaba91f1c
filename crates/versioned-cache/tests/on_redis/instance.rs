//! The world of these tests: a private Redis server, one row, and instances that record the commands that they send.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use dev_servers::RedisServer;
pub use ports::native::TestClient as Client;
use ports::native::{NativeConnection, NativeRedis, NativeRuntime};
use ports::{Arg, Connect, Connection, Redis, RedisError, Reply};
use versioned_cache::{Cache, Entry, ReadResult, Scope, Settings, StatementError, Ttl, Write, WriteError};

pub const TTL: Ttl = Ttl { found_s: 300, absent_s: 30 };

/// The settings of tests that are about something else than deadlines and checks: a slow machine is not a failure of
/// Redis, and no check adds commands.
pub fn settings() -> Settings {
    Settings { timeout_ms: 10_000, verify_ratio: 0.0, ..Settings::default() }
}

/// The TTL of named entries.
pub const NAMED_TTL: Ttl = Ttl { found_s: 60, absent_s: 5 };

/// A port that records the commands.
pub struct Recording {
    inner: NativeRedis,
    pub commands: Rc<RefCell<Vec<String>>>,
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
        Ok(RecordingConnection { inner: self.inner.connect().await?, commands: Rc::clone(&self.commands) })
    }
}

/// A dedicated connection that records the commands, too.
pub struct RecordingConnection {
    inner: NativeConnection,
    commands: Rc<RefCell<Vec<String>>>,
}

impl Connection for RecordingConnection {
    async fn execute(&self, command: &str, args: Vec<Arg>) -> Result<Vec<Reply>, RedisError> {
        self.commands.borrow_mut().push(command.to_owned());
        self.inner.execute(command, args).await
    }
}

/// A statement that failed.
#[derive(Debug, PartialEq, Eq)]
pub struct Failed {
    pub may_still_commit: bool,
}

impl StatementError for Failed {
    fn may_still_commit(&self) -> bool {
        self.may_still_commit
    }
}

/// A row, and how often it was read.
#[derive(Clone)]
pub struct Row {
    pub value: Rc<Cell<u64>>,
    pub selects: Rc<Cell<u32>>,
}

impl Row {
    pub fn new(value: u64) -> Self {
        Self { value: Rc::new(Cell::new(value)), selects: Rc::default() }
    }

    pub async fn select(&self) -> Result<Option<Vec<u8>>, Failed> {
        self.selects.set(self.selects.get() + 1);
        tokio::task::yield_now().await;
        let value = self.value.get();
        Ok((value > 0).then(|| value.to_string().into_bytes()))
    }
}

pub struct Instance {
    pub cache: Rc<Cache<Recording, NativeRuntime>>,
    pub commands: Rc<RefCell<Vec<String>>>,
    pub row: Row,
}

impl Instance {
    pub fn new(server: &RedisServer, row: &Row, settings: Settings) -> Self {
        let commands = Rc::default();
        let inner = NativeRedis::new(&server.url()).expect("a Redis URL");
        let port = Recording { inner, commands: Rc::clone(&commands) };
        Self { cache: Cache::new(port, NativeRuntime::default(), settings), commands, row: row.clone() }
    }

    pub async fn read(&self) -> ReadResult {
        self.cache.get_or_set(&entry(), async || self.row.select().await).await.expect("the row can be read")
    }

    pub async fn write(&self) -> Result<(), WriteError<Failed>> {
        let write = Write { mark: vec![scope(), list()], bump: vec![scope(), list()] };
        self.cache
            .write(write, async || {
                self.row.value.set(self.row.value.get() + 1);
                Ok(())
            })
            .await
    }

    /// Waits until a read returns what is wanted.
    pub async fn until_read(&self, wanted: impl Fn(&ReadResult) -> bool) {
        until(async || wanted(&self.read().await)).await;
    }

    /// The commands since the last call, except those that are sent after the response: counters, upkeep of registries.
    pub fn take_commands(&self) -> Vec<String> {
        const AFTERWARDS: [&str; 6] = ["EXISTS", "HINCRBY", "PEXPIREAT", "ZRANDMEMBER", "ZRANGE", "ZREMRANGEBYSCORE"];
        self.commands.take().into_iter().filter(|command| !AFTERWARDS.contains(&command.as_str())).collect()
    }
}

pub fn scope() -> Scope {
    Scope::item("user", 42)
}

pub fn list() -> Scope {
    Scope::list("users")
}

pub fn entry() -> Entry {
    Entry::new(&scope(), TTL).labelled("users", "getById").absent_guard(&list())
}

/// Waits until `done` returns `true`. It fails only if that takes longer than any machine needs.
pub async fn until(done: impl AsyncFn() -> bool) {
    let give_up = Instant::now() + Duration::from_secs(60);
    while !done().await {
        assert!(Instant::now() < give_up, "still not done after a minute");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Runs a test with a Redis server of its own and local tasks.
pub async fn on_redis(test: impl AsyncFnOnce(RedisServer)) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = RedisServer::start(folder.path()).await.expect("redis-server is installed and starts");
    tokio::task::LocalSet::new().run_until(test(server)).await;
}
