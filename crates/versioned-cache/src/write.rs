//! Writing: marks before, bumps on both sides of the statement.

use futures_util::future::{join, join_all};
use ports::{Arg, Connect, Redis, RedisError, Runtime};

use crate::Cache;
use crate::key::Scope;
use crate::settings::WritePolicy;
use crate::version::Version;

/// What a write touches.
#[derive(Clone, Debug)]
pub struct Write {
    /// Scopes that nobody may fill while the write is in flight.
    pub mark: Vec<Scope>,
    /// Scopes whose entries the write outdates.
    pub bump: Vec<Scope>,
}

/// Why a write failed.
#[derive(Debug, PartialEq, Eq)]
pub enum WriteError<E> {
    /// Redis is unreachable and the policy is [`WritePolicy::Consistent`]: nothing was written.
    CacheUnavailable,
    /// The statement failed.
    Statement(E),
}

/// What the protocol needs to know of a failed statement.
pub trait StatementError {
    /// Whether the statement may still take effect after this error: the connection broke or the answer is overdue.
    /// Its marks then stay until they run out.
    fn may_still_commit(&self) -> bool;
}

/// More bumps than this at once go as one MSET of fresh versions.
const SINGLE_BUMPS: usize = 4;
/// The first and the longest pause between attempts to catch up with a bump that Redis did not take.
const CATCH_UP_MS: u64 = 50;
const CATCH_UP_MAX_MS: u64 = 1_000;

impl<R: Redis + Connect + 'static, T: Runtime + 'static> Cache<R, T> {
    /// Runs `statement`, one SQL statement, so that no read that starts after it returned gets an older value from the
    /// cache, wherever this instance may die. The statement must have ended well within `mark_ms`.
    ///
    /// # Errors
    /// Those of `statement`; [`WriteError::CacheUnavailable`] with the policy [`WritePolicy::Consistent`].
    pub async fn write<V, E: StatementError>(
        &self,
        write: Write,
        statement: impl AsyncFnOnce() -> Result<V, E>,
    ) -> Result<V, WriteError<E>> {
        let token = format!("{:016x}{:016x}", self.runtime.random_u64(), self.runtime.random_u64());
        if let Err(error) = self.begin(&write, &token).await {
            self.log_failure("a write could not be announced", &error);
            if self.settings.write_policy == WritePolicy::Consistent {
                let _ = self.unmark(&write.mark, &token).await;
                return Err(WriteError::CacheUnavailable);
            }
        }
        let outcome = statement().await;
        let unsettled = matches!(&outcome, Err(error) if error.may_still_commit());
        self.finish(write, token, unsettled).await;
        outcome.map_err(WriteError::Statement)
    }

    /// Marks first, then bumps: a filler that reads the new version must see the mark.
    async fn begin(&self, write: &Write, token: &str) -> Result<(), RedisError> {
        let now = self.runtime.unix_ms() as i64;
        all(write.mark.iter().map(|scope| self.call("ZADD", vec![scope.writing().into(), now.into(), token.into()])))
            .await?;
        let mark_ms = self.settings.mark_ms as i64;
        let expiries =
            all(write.mark.iter().map(|scope| self.call("PEXPIRE", vec![scope.writing().into(), mark_ms.into()])));
        let (expiries, bumps) = join(expiries, self.bump(&write.bump)).await;
        expiries.and(bumps)
    }

    /// The second bump outdates what was filled while marks were lost (Redis flushed or restarted mid-write).
    async fn finish(&self, write: Write, token: String, unsettled: bool) {
        let unmarked = async { if unsettled { Ok(()) } else { self.unmark(&write.mark, &token).await } };
        let (bumped, unmarked) = join(self.bump(&write.bump), unmarked).await;
        let Err(error) = bumped.and(unmarked) else { return };
        self.log_failure("a write was not told to the cache yet", &error);
        if let Some(cache) = self.me.upgrade() {
            self.runtime.spawn(async move { cache.catch_up(write, token, unsettled).await });
        }
    }

    /// Bumps what could not be bumped in time, for as long as a mark would have counted.
    async fn catch_up(&self, write: Write, token: String, unsettled: bool) {
        let deadline = self.runtime.monotonic_ms() + self.settings.mark_ms;
        let mut pause = CATCH_UP_MS;
        while self.runtime.monotonic_ms() < deadline {
            self.runtime.sleep(pause).await;
            pause = (pause * 2).min(CATCH_UP_MAX_MS);
            if self.bump(&write.bump).await.is_ok() && (unsettled || self.unmark(&write.mark, &token).await.is_ok()) {
                return;
            }
        }
    }

    async fn unmark(&self, scopes: &[Scope], token: &str) -> Result<(), RedisError> {
        all(scopes.iter().map(|scope| self.call("ZREM", vec![scope.writing().into(), token.into()]))).await
    }

    /// Once more if the connection turns out to be broken, with numbers that are new again: the same ones might come back
    /// after somebody else's.
    async fn bump(&self, scopes: &[Scope]) -> Result<(), RedisError> {
        match self.bump_once(scopes).await {
            Err(RedisError::Unreachable(_)) if scopes.len() > SINGLE_BUMPS => self.bump_once(scopes).await,
            outcome => outcome,
        }
    }

    async fn bump_once(&self, scopes: &[Scope]) -> Result<(), RedisError> {
        if scopes.len() > SINGLE_BUMPS {
            let pairs = scopes
                .iter()
                .flat_map(|scope| -> [Arg; 2] { [scope.version().into(), self.fresh_version().number().into()] });
            return self.call("MSET", pairs.collect()).await.map(drop);
        }
        join_all(scopes.iter().map(|scope| self.bump_one(scope))).await.into_iter().collect()
    }

    pub(crate) async fn bump_one(&self, scope: &Scope) -> Result<(), RedisError> {
        match self.call_one("INCR", vec![scope.version().into()]).await {
            Ok(reply) if Version::from_reply(&reply).is_some() => Ok(()),
            Err(error @ RedisError::Unreachable(_)) => Err(error),
            // The version had been lost, or somebody else wrote there: start anew where nothing can be resurrected.
            Ok(_) | Err(RedisError::Refused(_)) => {
                let fresh = self.fresh_version().number();
                self.call("SET", vec![scope.version().into(), fresh.into()]).await.map(drop)
            }
        }
    }
}

/// Runs commands side by side; the first error, if any.
async fn all<F: Future<Output = Result<V, RedisError>>, V>(calls: impl Iterator<Item = F>) -> Result<(), RedisError> {
    join_all(calls).await.into_iter().try_for_each(|outcome| outcome.map(drop))
}
