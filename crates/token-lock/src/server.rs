//! One Redis server: commands with a deadline, and what is remembered of it.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;

use futures_util::future::{Either, select};
use ports::{Arg, Connect, ConnectionPool, Redis, RedisError, Reply, Runtime, WatchTransaction};

use crate::dialect::Dialect;
use crate::settings::Settings;

/// How long an answer that may be there already is waited for when the deadline is over: an instance that was short of
/// CPU sees both together.
const GRACE_MS: u64 = 1;

pub(crate) struct Server<R: Connect, T> {
    pub(crate) redis: R,
    runtime: Rc<T>,
    settings: Settings,
    /// Connections for transactions.
    pool: ConnectionPool<R::Connection>,
    /// Known once the server has been asked.
    pub(crate) dialect: Cell<Option<Dialect>>,
    /// Whether there are no other servers.
    alone: bool,
    /// Monotonic time in ms; it is left alone before.
    shunned_until_ms: Cell<u64>,
}

impl<R: Redis + Connect, T: Runtime> Server<R, T> {
    pub(crate) fn new(redis: R, runtime: Rc<T>, settings: Settings, alone: bool) -> Self {
        Self {
            redis,
            runtime,
            settings,
            pool: ConnectionPool::default(),
            dialect: Cell::default(),
            alone,
            shunned_until_ms: Cell::default(),
        }
    }

    /// Fails at once while the server is left alone after a failure. When that time is over, one caller at a time may
    /// try (the circuit breaker of Nygard's *Release It!*).
    pub(crate) fn admit(&self) -> Result<(), RedisError> {
        let (now, until) = (self.runtime.monotonic_ms(), self.shunned_until_ms.get());
        if now < until {
            return Err(RedisError::Unreachable("it failed a moment ago".to_owned()));
        }
        if until > 0 {
            self.shunned_until_ms.set(now + self.settings.timeout_ms);
        }
        Ok(())
    }

    /// The same for what concerns a lock that may be held: the only server is always asked.
    pub(crate) fn admit_holder(&self) -> Result<(), RedisError> {
        if self.alone { Ok(()) } else { self.admit() }
    }

    /// Runs one operation, which may be several commands, with the deadline. What it was doing when the deadline was
    /// over may still take effect at any time.
    pub(crate) async fn within_deadline<V>(
        &self,
        operation: impl Future<Output = Result<V, RedisError>>,
    ) -> Result<V, RedisError> {
        let deadline = pin!(self.runtime.sleep(self.settings.timeout_ms));
        let outcome = match select(pin!(operation), deadline).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right(((), operation)) => match select(operation, pin!(self.runtime.sleep(GRACE_MS))).await {
                Either::Left((outcome, _)) => outcome,
                Either::Right(_) => {
                    self.redis.reconnect();
                    self.pool.close();
                    Err(RedisError::Unreachable(format!("no answer within {} ms", self.settings.timeout_ms)))
                }
            },
        };
        match &outcome {
            Err(RedisError::Unreachable(_)) => {
                self.shunned_until_ms.set(self.runtime.monotonic_ms() + self.settings.breaker_ms);
            }
            Ok(_) | Err(RedisError::Refused(_)) => self.shunned_until_ms.set(0),
        }
        outcome
    }

    /// Runs a command that may be repeated, on the shared connection; once more if that turns out to be broken.
    pub(crate) async fn call_all(&self, command: &str, args: Vec<Arg>) -> Result<Vec<Reply>, RedisError> {
        match self.redis.execute(command, args.clone()).await {
            Err(RedisError::Unreachable(_)) => self.redis.execute(command, args).await,
            outcome => outcome,
        }
    }

    /// The same for a command whose reply has one leaf.
    pub(crate) async fn call(&self, command: &str, args: Vec<Arg>) -> Result<Reply, RedisError> {
        Ok(first(self.call_all(command, args).await?))
    }

    /// Begins a transaction: see [`WatchTransaction::begin`].
    pub(crate) async fn watch(&self, key: &str) -> Result<WatchTransaction<'_, R::Connection>, RedisError> {
        WatchTransaction::begin(&self.redis, &self.pool, key).await
    }

    /// 128 random bits.
    pub(crate) fn random(&self) -> (u64, u64) {
        (self.runtime.random_u64(), self.runtime.random_u64())
    }
}

pub(crate) fn first(replies: Vec<Reply>) -> Reply {
    replies.into_iter().next().unwrap_or(Reply::Nil)
}
