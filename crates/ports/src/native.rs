//! The ports over an ordinary Redis client and tokio, for tests and examples that run natively on a real Redis.

use std::cell::RefCell;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, RedisResult, Value};

use crate::redis::{Arg, Connect, Connection, Redis, RedisError, Reply};
use crate::runtime::Runtime;

/// A client of one Redis server. It opens its connection on first use, and a new one after a failure.
pub struct NativeRedis {
    client: ::redis::Client,
    connection: RefCell<Option<MultiplexedConnection>>,
    /// Held while a connection is being opened, so that concurrent calls open only one.
    opening: tokio::sync::Mutex<()>,
}

impl NativeRedis {
    /// A client of the server at `url`.
    ///
    /// # Errors
    /// When `url` is not a Redis URL.
    pub fn new(url: &str) -> Result<Self, ::redis::RedisError> {
        Ok(Self {
            client: ::redis::Client::open(url)?,
            connection: RefCell::new(None),
            opening: tokio::sync::Mutex::new(()),
        })
    }

    async fn connection(&self) -> RedisResult<MultiplexedConnection> {
        let kept = || self.connection.borrow().clone();
        if let Some(connection) = kept() {
            return Ok(connection);
        }
        let _opening = self.opening.lock().await;
        if let Some(connection) = kept() {
            return Ok(connection);
        }
        let opened = self.open().await?;
        *self.connection.borrow_mut() = Some(opened.clone());
        Ok(opened)
    }

    async fn open(&self) -> RedisResult<MultiplexedConnection> {
        // The caller has deadlines of its own.
        let config = AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }
}

/// A client for the test itself, beside the clients under test. It panics instead of failing.
pub struct TestClient(NativeRedis);

impl TestClient {
    /// A client of the server at `url`.
    ///
    /// # Panics
    /// `url` is not a Redis URL.
    pub fn new(url: &str) -> Self {
        Self(NativeRedis::new(url).expect("a Redis URL"))
    }

    /// Runs a command, given as words with single spaces between them.
    ///
    /// # Panics
    /// Redis does not reply, or replies with an error.
    pub async fn say(&self, command: &str) -> Vec<Reply> {
        let mut words = command.split(' ');
        let name = words.next().expect("a command");
        self.0.execute(name, words.map(Arg::from).collect()).await.expect("Redis accepts the command")
    }
}

/// A dedicated connection.
pub struct NativeConnection(MultiplexedConnection);

impl Connect for NativeRedis {
    type Connection = NativeConnection;

    async fn connect(&self) -> Result<NativeConnection, RedisError> {
        self.open().await.map(NativeConnection).map_err(unreachable)
    }
}

impl Connection for NativeConnection {
    async fn execute(&self, command: &str, args: Vec<Arg>) -> Result<Vec<Reply>, RedisError> {
        query(&mut self.0.clone(), command, args).await
    }
}

impl Redis for NativeRedis {
    async fn execute(&self, command: &str, args: Vec<Arg>) -> Result<Vec<Reply>, RedisError> {
        let mut connection = self.connection().await.map_err(unreachable)?;
        let outcome = query(&mut connection, command, args).await;
        if matches!(outcome, Err(RedisError::Unreachable(_))) {
            self.reconnect();
        }
        outcome
    }

    fn reconnect(&self) {
        self.connection.borrow_mut().take();
    }
}

async fn query(
    connection: &mut MultiplexedConnection,
    command: &str,
    args: Vec<Arg>,
) -> Result<Vec<Reply>, RedisError> {
    let mut sent = ::redis::cmd(command);
    for arg in args {
        match arg {
            Arg::Bytes(bytes) => sent.arg(bytes),
            Arg::Int(number) => sent.arg(number),
        };
    }
    match sent.query_async::<Value>(connection).await {
        Ok(value) => {
            let mut replies = Vec::new();
            flatten(value, &mut replies);
            Ok(replies)
        }
        Err(error) if error.kind() == ::redis::ErrorKind::Io || error.is_connection_dropped() => {
            Err(unreachable(error))
        }
        Err(error) => Err(RedisError::Refused(error.to_string())),
    }
}

fn unreachable(error: ::redis::RedisError) -> RedisError {
    RedisError::Unreachable(error.to_string())
}

fn flatten(value: Value, replies: &mut Vec<Reply>) {
    match value {
        Value::Nil => replies.push(Reply::Nil),
        Value::Int(number) => replies.push(Reply::Int(number)),
        Value::BulkString(bytes) => replies.push(Reply::Bytes(bytes)),
        Value::SimpleString(status) => replies.push(Reply::Status(status)),
        Value::Okay => replies.push(Reply::Status("OK".to_owned())),
        Value::Array(values) => values.into_iter().for_each(|value| flatten(value, replies)),
        other => replies.push(Reply::Status(format!("{other:?}"))),
    }
}

/// The real clocks, and tokio's timers and local tasks. Use it inside a `LocalSet`.
pub struct NativeRuntime {
    started: Instant,
}

impl Default for NativeRuntime {
    /// A runtime whose monotonic clock starts now.
    fn default() -> Self {
        Self { started: Instant::now() }
    }
}

impl Runtime for NativeRuntime {
    fn unix_ms(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
    }

    fn monotonic_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// Good enough for tests: a hash with new random keys of the standard library.
    fn random_u64(&self) -> u64 {
        RandomState::new().hash_one(Instant::now())
    }

    async fn sleep(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }

    fn spawn(&self, work: impl Future<Output = ()> + 'static) {
        tokio::task::spawn_local(work);
    }
}
