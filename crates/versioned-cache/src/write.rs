//! Writing rows: marks before the SQL statement, bumps before and after it.

use std::rc::Rc;

use futures_util::future::{join, join_all};
use ports::{Client, Connect, RedisError, Runtime};

use crate::entry::Version;
use crate::key::Scope;
use crate::settings::{Settings, WritePolicy};

/// The scopes of a write.
#[derive(Clone, Debug)]
pub struct Write {
    /// Scopes whose entries must not be filled while the write is in flight.
    pub mark: Vec<Scope>,
    /// Scopes whose entries the write makes outdated.
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

/// What the protocol needs to know about a failed statement.
pub trait StatementError {
    /// Whether the statement may still take effect after this error: the connection broke, or the reply is overdue. Its
    /// marks then stay until they expire.
    fn may_still_commit(&self) -> bool;
}

/// More versions than this are bumped together: one command removes them.
const SINGLE_BUMPS_MAX: usize = 4;
/// The first and the longest pause between attempts to repeat a failed bump.
const CATCH_UP_MS: u64 = 50;
const CATCH_UP_MAX_MS: u64 = 1_000;

/// Runs writes.
pub(crate) struct Writer<R: Connect, T> {
    client: Rc<Client<R, T>>,
    settings: Settings,
}

impl<R: Connect, T: Runtime> Writer<R, T> {
    pub(crate) fn new(client: &Rc<Client<R, T>>, settings: Settings) -> Self {
        Self { client: Rc::clone(client), settings }
    }

    /// See [`Cache::write`](crate::Cache::write).
    pub(crate) async fn write<V, E: StatementError>(
        self: &Rc<Self>,
        write: Write,
        statement: impl AsyncFnOnce() -> Result<V, E>,
    ) -> Result<V, WriteError<E>> {
        let runtime = self.client.runtime();
        let token = format!("{:016x}{:016x}", runtime.random_u64(), runtime.random_u64());
        if let Err(error) = self.begin(&write, &token).await {
            tracing::warn!(%error, "a write could not be marked in the cache");
            if self.settings.write_policy == WritePolicy::Consistent {
                let _ = self.unmark(&write.mark, &token).await;
                return Err(WriteError::CacheUnavailable);
            }
        }
        let outcome = statement().await;
        let keep_marks = matches!(&outcome, Err(error) if error.may_still_commit());
        self.finish(write, token, keep_marks).await;
        outcome.map_err(WriteError::Statement)
    }

    /// Marks first, then bumps: a filler that reads the new version must see the mark.
    async fn begin(&self, write: &Write, token: &str) -> Result<(), RedisError> {
        let (now, mark_ms) = (self.client.runtime().unix_ms() as i64, self.settings.mark_ms as i64);
        let mark = |scope: &Scope| self.client.call("ZADD", vec![scope.writing().into(), now.into(), token.into()]);
        all(write.mark.iter().map(mark)).await?;
        let expire = |scope: &Scope| self.client.call("PEXPIRE", vec![scope.writing().into(), mark_ms.into()]);
        let (expiries, bumps) = join(all(write.mark.iter().map(expire)), self.bump(&write.bump)).await;
        expiries.and(bumps)
    }

    /// Bumps again and removes the marks. The second bump makes entries outdated that were filled after Redis lost the
    /// marks (flushed or restarted mid-write).
    async fn finish(self: &Rc<Self>, write: Write, token: String, keep_marks: bool) {
        let unmark = async { if keep_marks { Ok(()) } else { self.unmark(&write.mark, &token).await } };
        let (bumped, unmarked) = join(self.bump(&write.bump), unmark).await;
        let Err(error) = bumped.and(unmarked) else { return };
        tracing::warn!(%error, "the cache did not learn of a write: this is repeated in the background");
        let writer = Rc::clone(self);
        self.client.runtime().spawn(async move { writer.catch_up(write, token, keep_marks).await });
    }

    /// Repeats the last step of a write (bump, remove the marks) for as long as its marks would count.
    async fn catch_up(&self, write: Write, token: String, keep_marks: bool) {
        let runtime = self.client.runtime();
        let deadline_ms = runtime.monotonic_ms() + self.settings.mark_ms;
        let mut pause_ms = CATCH_UP_MS;
        while runtime.monotonic_ms() < deadline_ms {
            runtime.sleep(pause_ms).await;
            pause_ms = (pause_ms * 2).min(CATCH_UP_MAX_MS);
            if self.bump(&write.bump).await.is_ok() && (keep_marks || self.unmark(&write.mark, &token).await.is_ok()) {
                return;
            }
        }
    }

    async fn unmark(&self, scopes: &[Scope], token: &str) -> Result<(), RedisError> {
        all(scopes.iter().map(|scope| self.client.call("ZREM", vec![scope.writing().into(), token.into()]))).await
    }

    /// Bumps the versions of scopes. Versions that are removed start from fresh numbers when they are read, which makes
    /// their entries outdated as well.
    pub(crate) async fn bump(&self, scopes: &[Scope]) -> Result<(), RedisError> {
        if scopes.len() <= SINGLE_BUMPS_MAX {
            return join_all(scopes.iter().map(|scope| self.bump_one(scope))).await.into_iter().collect();
        }
        let remove = async || {
            let versions = scopes.iter().map(|scope| scope.version().into()).collect();
            self.client.call("UNLINK", versions).await.map(drop)
        };
        match remove().await {
            // The connection was broken.
            Err(RedisError::Unreachable(_)) => remove().await,
            outcome => outcome,
        }
    }

    async fn bump_one(&self, scope: &Scope) -> Result<(), RedisError> {
        match self.client.call_one("INCR", vec![scope.version().into()]).await {
            Ok(reply) if Version::from_reply(&reply).is_some() => Ok(()),
            Err(error @ RedisError::Unreachable(_)) => Err(error),
            // The version was lost, or another program wrote to its key: start a version that was never used before.
            Ok(_) | Err(RedisError::Refused(_)) => {
                let fresh = Version::fresh(self.client.runtime()).number();
                let ttl_ms = self.settings.mark_ms as i64;
                let set = vec![scope.version().into(), fresh.into(), "PX".into(), ttl_ms.into()];
                self.client.call("SET", set).await.map(drop)
            }
        }
    }
}

/// Runs commands concurrently. Returns the first error, if any.
async fn all<F: Future<Output = Result<V, RedisError>>, V>(calls: impl Iterator<Item = F>) -> Result<(), RedisError> {
    join_all(calls).await.into_iter().try_for_each(|outcome| outcome.map(drop))
}
