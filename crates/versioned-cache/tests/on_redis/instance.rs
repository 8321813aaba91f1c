//! One simulated instance over a real Redis, and what it asked Redis for.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;

use dev_servers::RedisServer;
pub use ports::native::TestClient as Client;
use ports::native::{NativeConnection, NativeRedis, NativeRuntime};
use ports::{Arg, Connect, Connection, Redis, RedisError, Reply};
use versioned_cache::{Cache, Entry, ReadResult, Scope, Settings, StatementError, Ttl, Write, WriteError};

pub const TTL: Ttl = Ttl { found_s: 300, absent_s: 30 };

/// A port that remembers which commands went through it.
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

/// A connection of one's own that remembers likewise.
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
#[derive(Clone, Default)]
pub struct Row {
    pub value: Rc<Cell<u64>>,
    pub selects: Rc<Cell<u32>>,
}

impl Row {
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
        Self { cache: Cache::new(port, NativeRuntime::new(), settings), commands, row: row.clone() }
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

    /// The commands since the last call, without those that are sent after the answer: counters, care of the registries.
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

/// Runs a test with a Redis server of its own, with local tasks.
pub async fn on_redis(test: impl AsyncFnOnce(RedisServer)) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = start(folder.path()).await;
    tokio::task::LocalSet::new().run_until(test(server)).await;
}

async fn start(folder: &Path) -> RedisServer {
    RedisServer::start(folder).await.expect("redis-server is installed and starts")
}
