//! One Redis command with a deadline, behind the breaker.

use std::pin::pin;

use futures_util::future::{Either, select};
use ports::{Arg, Connect, Redis, RedisError, Reply, Runtime};

use crate::Cache;
use crate::cache_status::Bypass;

/// How long an answer that may be there already is waited for when the deadline is over.
const GRACE_MS: u64 = 1;

/// What a large command may move in a millisecond, on a busy machine.
const ARGS_PER_MS: usize = 20;
const BYTES_PER_MS: usize = 16 * 1024;

/// What is not sent again when it may have taken effect already: a number that was set might come back after somebody
/// else's, a lease would wait for itself, something would be counted twice or found gone.
const ONCE: [&str; 6] = ["SET", "MSET", "HINCRBY", "UNLINK", "RENAME", "ZPOPMIN"];

/// The outcome of a command.
pub(crate) type Called = Result<Vec<Reply>, RedisError>;

impl<R: Redis + Connect, T: Runtime> Cache<R, T> {
    /// Whether reads may ask Redis now; if not, why.
    pub(crate) fn admit(&self) -> Result<(), Bypass> {
        if !self.settings.enabled {
            return Err(Bypass::Disabled);
        }
        if !self.breaker.allows(self.runtime.monotonic_ms(), self.settings.timeout_ms) {
            return Err(Bypass::BreakerOpen);
        }
        Ok(())
    }

    /// Runs one command, once more if the connection turns out to be broken and the command bears it. A failure opens the breaker, which reads heed through [`Cache::admit`] and writes ignore.
    pub(crate) async fn call(&self, command: &str, args: Vec<Arg>) -> Called {
        self.call_within(command, args, self.settings.timeout_ms).await
    }

    /// Runs a command with many arguments, or large ones, which may take longer the more there are of them.
    pub(crate) async fn call_large(&self, command: &str, args: Vec<Arg>) -> Called {
        let timeout_ms = self.time_for(&args);
        self.call_within(command, args, timeout_ms).await
    }

    /// How long a command with these arguments may take, in ms.
    pub(crate) fn time_for(&self, args: &[Arg]) -> u64 {
        let bytes: usize = args.iter().map(|arg| if let Arg::Bytes(bytes) = arg { bytes.len() } else { 8 }).sum();
        let more_ms = args.len() / ARGS_PER_MS + bytes / BYTES_PER_MS;
        self.settings.timeout_ms + more_ms as u64
    }

    async fn call_within(&self, command: &str, args: Vec<Arg>, timeout_ms: u64) -> Called {
        let answer = async {
            match self.redis.execute(command, args.clone()).await {
                Err(RedisError::Unreachable(_)) if !ONCE.contains(&command) => self.redis.execute(command, args).await,
                outcome => outcome,
            }
        };
        let outcome = self.in_time(timeout_ms, answer).await.unwrap_or_else(|| {
            self.redis.reconnect();
            Err(RedisError::Unreachable(format!("no answer within {timeout_ms} ms")))
        });
        match &outcome {
            Ok(_) => self.breaker.succeeded(),
            Err(RedisError::Unreachable(_)) => {
                self.breaker.failed(self.runtime.monotonic_ms(), self.settings.breaker_ms);
            }
            Err(RedisError::Refused(_)) => {}
        }
        outcome
    }

    /// What `work` comes to; `None`, and it is given up, when the time is over.
    pub(crate) async fn in_time<V>(&self, timeout_ms: u64, work: impl Future<Output = V>) -> Option<V> {
        match select(pin!(work), pin!(self.runtime.sleep(timeout_ms))).await {
            Either::Left((outcome, _)) => Some(outcome),
            // An instance that was short of CPU sees the end of the deadline and the answer together.
            Either::Right(((), work)) => match select(work, pin!(self.runtime.sleep(GRACE_MS))).await {
                Either::Left((outcome, _)) => Some(outcome),
                Either::Right(_) => None,
            },
        }
    }

    /// One command whose reply has one leaf.
    pub(crate) async fn call_one(&self, command: &str, args: Vec<Arg>) -> Result<Reply, RedisError> {
        let replies = self.call(command, args).await?;
        Ok(replies.into_iter().next().unwrap_or(Reply::Nil))
    }
}
