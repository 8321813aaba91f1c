//! One resilient client of one Redis server: a deadline for every call, a retry where it is safe, a circuit breaker.

use std::pin::pin;
use std::rc::Rc;

use futures_util::future::{Either, select, try_join_all};

use crate::circuit_breaker::CircuitBreaker;
use crate::redis::{Arg, Connect, RedisError, Reply};
use crate::runtime::Runtime;
use crate::watch_transaction::{ConnectionPool, WatchTransaction};

/// How many ms after the deadline a reply is still accepted. An instance that had no CPU for some time sees the
/// deadline and the reply together.
const GRACE_MS: u64 = 1;

/// How much a large command may move per millisecond on a busy machine.
const ARGS_PER_MS: usize = 20;
const BYTES_PER_MS: usize = 16 * 1024;

/// Commands that are never sent twice, because the first may have taken effect. A second SET could overwrite a newer
/// value, or a lease would wait for itself. A counter would count twice. A removed key would look like a missing one.
const NOT_REPEATABLE: [&str; 7] = ["SET", "MSET", "HINCRBY", "UNLINK", "RENAME", "ZPOPMIN", "INCREX"];

/// The pause after the first attempt of [`Client::retry`]. Each later pause is this much longer, up to the maximum.
const RETRY_PAUSE_MS: u64 = 50;
const RETRY_PAUSE_MAX_MS: u64 = 2_000;

/// The round trips of [`Client::transact`]: connect, WATCH, MULTI, the caller's read, its commands, EXEC.
const TRANSACTION_ROUND_TRIPS: u64 = 6;

/// The outcome of [`Client::transact`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transacted {
    /// The commands took effect.
    Done,
    /// Nothing took effect, because the key has changed since it was read.
    Changed,
    /// There was nothing to do.
    Unwanted,
}

/// The settings of a [`Client`], in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct ClientSettings {
    /// How long one call may take.
    pub timeout_ms: u64,
    /// How long the circuit stays open after a failure.
    pub circuit_open_ms: u64,
    /// How long [`Client::retry`] repeats an operation while Redis is unreachable.
    pub patience_ms: u64,
}

/// A client that the concurrent requests of one instance share.
pub struct Client<R: Connect, T> {
    redis: R,
    runtime: Rc<T>,
    settings: ClientSettings,
    /// Connections for transactions.
    pool: ConnectionPool<R::Connection>,
    circuit: CircuitBreaker,
}

impl<R: Connect, T: Runtime> Client<R, T> {
    /// A client of the server behind `redis`. It opens no connection yet.
    pub fn new(redis: R, runtime: Rc<T>, settings: ClientSettings) -> Self {
        Self { redis, runtime, settings, pool: ConnectionPool::default(), circuit: CircuitBreaker::default() }
    }

    /// The clocks, the randomness and the timers that this client uses.
    pub fn runtime(&self) -> &T {
        &self.runtime
    }

    /// Whether the circuit is closed, or half-open and this caller may probe the server. [`Client::call`] does not
    /// check this: some callers must try in any case.
    pub fn admits(&self) -> bool {
        self.circuit.allows(self.runtime.monotonic_ms(), self.settings.timeout_ms)
    }

    /// Runs one command with the deadline. See [`Client::send`] for retries.
    ///
    /// # Errors
    /// [`RedisError::Unreachable`] also after the deadline; the command may still take effect then.
    pub async fn call(&self, command: &str, args: Vec<Arg>) -> Result<Vec<Reply>, RedisError> {
        self.within(self.settings.timeout_ms, self.send(command, args)).await
    }

    /// [`Client::call`] for a command with many or large arguments: the deadline grows with their number and size.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn call_large(&self, command: &str, args: Vec<Arg>) -> Result<Vec<Reply>, RedisError> {
        self.within(self.timeout_for(&args), self.send(command, args)).await
    }

    /// [`Client::call`] for a command whose reply has one leaf.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn call_one(&self, command: &str, args: Vec<Arg>) -> Result<Reply, RedisError> {
        Ok(first(self.call(command, args).await?))
    }

    /// The deadline, in ms, of a command with these arguments.
    pub fn timeout_for(&self, args: &[Arg]) -> u64 {
        let bytes: usize = args.iter().map(|arg| if let Arg::Bytes(bytes) = arg { bytes.len() } else { 8 }).sum();
        self.settings.timeout_ms + (args.len() / ARGS_PER_MS + bytes / BYTES_PER_MS) as u64
    }

    /// Runs an operation of several commands with one deadline, the usual one.
    ///
    /// # Errors
    /// As [`Client::within`].
    pub async fn within_timeout<V>(
        &self,
        operation: impl Future<Output = Result<V, RedisError>>,
    ) -> Result<V, RedisError> {
        self.within(self.settings.timeout_ms, operation).await
    }

    /// Runs an operation with its own deadline. A failure opens the circuit; a reply, also a refusal, closes it.
    ///
    /// # Errors
    /// Those of the operation; [`RedisError::Unreachable`] after `timeout_ms`. Then the operation is dropped, idle
    /// connections are closed, and what was sent may still take effect at any time.
    pub async fn within<V>(
        &self,
        timeout_ms: u64,
        operation: impl Future<Output = Result<V, RedisError>>,
    ) -> Result<V, RedisError> {
        let outcome = self.in_time(timeout_ms, operation).await.unwrap_or_else(|| {
            self.redis.reconnect();
            self.pool.borrow_mut().clear();
            Err(RedisError::Unreachable(format!("no reply within {timeout_ms} ms")))
        });
        match &outcome {
            Ok(_) | Err(RedisError::Refused(_)) => {
                self.circuit.close();
            }
            Err(RedisError::Unreachable(_)) => {
                self.circuit.open(self.runtime.monotonic_ms() + self.settings.circuit_open_ms);
            }
        }
        outcome
    }

    /// The outcome of `operation`; `None`, and it is dropped, after `timeout_ms`.
    async fn in_time<V>(&self, timeout_ms: u64, operation: impl Future<Output = V>) -> Option<V> {
        match select(pin!(operation), pin!(self.runtime.sleep(timeout_ms))).await {
            Either::Left((outcome, _)) => Some(outcome),
            Either::Right(((), operation)) => match select(operation, pin!(self.runtime.sleep(GRACE_MS))).await {
                Either::Left((outcome, _)) => Some(outcome),
                Either::Right(_) => None,
            },
        }
    }

    /// Runs one command without a deadline, for use inside [`Client::within`]. If the connection is broken and the
    /// command may be repeated, sends it once more on a new connection.
    ///
    /// # Errors
    /// Those of the last attempt.
    pub async fn send(&self, command: &str, args: Vec<Arg>) -> Result<Vec<Reply>, RedisError> {
        if !is_repeatable(command, &args) {
            return self.redis.execute(command, args).await;
        }
        match self.redis.execute(command, args.clone()).await {
            Err(RedisError::Unreachable(_)) => self.redis.execute(command, args).await,
            outcome => outcome,
        }
    }

    /// [`Client::send`] for a command whose reply has one leaf.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn send_one(&self, command: &str, args: Vec<Arg>) -> Result<Reply, RedisError> {
        Ok(first(self.send(command, args).await?))
    }

    /// Repeats `operation` while Redis is unreachable, for up to `patience_ms`. The operation must allow repetition.
    ///
    /// # Errors
    /// Those of the last attempt.
    pub async fn retry<V>(&self, operation: impl AsyncFn() -> Result<V, RedisError>) -> Result<V, RedisError> {
        let deadline_ms = self.runtime.monotonic_ms() + self.settings.patience_ms;
        let mut pause_ms = RETRY_PAUSE_MS;
        loop {
            match operation().await {
                Err(RedisError::Unreachable(_)) if self.runtime.monotonic_ms() + pause_ms < deadline_ms => {
                    self.runtime.sleep(pause_ms).await;
                    pause_ms = (pause_ms + RETRY_PAUSE_MS).min(RETRY_PAUSE_MAX_MS);
                }
                outcome => return outcome,
            }
        }
    }

    /// [`Client::call`] inside [`Client::retry`].
    ///
    /// # Errors
    /// Those of the last attempt.
    pub async fn retry_call(&self, command: &str, args: Vec<Arg>) -> Result<Vec<Reply>, RedisError> {
        self.retry(async || self.call(command, args.clone()).await).await
    }

    /// [`Client::retry_call`] for a command whose reply has one leaf.
    ///
    /// # Errors
    /// As [`Client::retry_call`].
    pub async fn retry_call_one(&self, command: &str, args: Vec<Arg>) -> Result<Reply, RedisError> {
        Ok(first(self.retry_call(command, args).await?))
    }

    /// Runs `SET key …` with these arguments in a transaction that watches `key`: only if `wanted`, which may read the
    /// key on the shared connection, returns `true` and the key does not change after that. `false`: nothing was set.
    ///
    /// # Errors
    /// [`RedisError::Unreachable`]: it may or may not be set.
    pub async fn set_watched(
        &self,
        key: &str,
        args: Vec<Arg>,
        wanted: impl AsyncFnOnce() -> Result<bool, RedisError>,
    ) -> Result<bool, RedisError> {
        let timeout_ms = self.timeout_for(&args);
        let set = async move || Ok(wanted().await?.then(|| vec![("SET", args)]));
        Ok(self.transact(key, timeout_ms, set).await? == Transacted::Done)
    }

    /// Runs commands in a transaction that watches `key`. `commands` may read the key on the shared connection; `None`:
    /// nothing is to be done. `timeout_ms` is how long one round trip may take.
    ///
    /// # Errors
    /// [`RedisError::Unreachable`]: all of the commands or none may have taken effect.
    pub async fn transact(
        &self,
        key: &str,
        timeout_ms: u64,
        commands: impl AsyncFnOnce() -> Result<Option<Vec<(&'static str, Vec<Arg>)>>, RedisError>,
    ) -> Result<Transacted, RedisError> {
        let timeout_ms = TRANSACTION_ROUND_TRIPS * timeout_ms;
        let transact = async {
            let transaction = self.watch(key).await?;
            let Some(commands) = commands().await? else {
                // Nothing is changed, even if DISCARD fails: the connection is closed then.
                let _ = transaction.discard().await;
                return Ok(Transacted::Unwanted);
            };
            // Together: all take effect at once, so their order does not matter.
            try_join_all(commands.into_iter().map(|(command, args)| transaction.queue(command, args))).await?;
            Ok(if transaction.exec().await?.is_some() { Transacted::Done } else { Transacted::Changed })
        };
        // A failed dedicated connection says nothing about the shared one, so the circuit and the shared connection
        // stay as they are.
        self.in_time(timeout_ms, transact).await.unwrap_or_else(|| {
            self.pool.borrow_mut().clear();
            Err(RedisError::Unreachable(format!("no transaction within {timeout_ms} ms")))
        })
    }

    /// Begins a transaction, without a deadline: see [`WatchTransaction::begin`].
    ///
    /// # Errors
    /// As there.
    pub async fn watch(&self, key: &str) -> Result<WatchTransaction<'_, R::Connection>, RedisError> {
        WatchTransaction::begin(&self.redis, &self.pool, key).await
    }
}

/// `SET key value IFEQ …` compares first, so a second one is harmless. `ZADD key XX INCR …` counts, unlike other ZADDs.
fn is_repeatable(command: &str, args: &[Arg]) -> bool {
    let third_is = |word: &str| args.get(2) == Some(&Arg::from(word));
    let counts = command == "ZADD" && third_is("INCR");
    !counts && (!NOT_REPEATABLE.contains(&command) || (command == "SET" && third_is("IFEQ")))
}

fn first(replies: Vec<Reply>) -> Reply {
    replies.into_iter().next().unwrap_or(Reply::Nil)
}
