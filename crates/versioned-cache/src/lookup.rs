//! Finding an entry: one round trip if the hint is right, two if not.

use futures_util::future::join;
use redis_port::{Arg, Redis, RedisError, Reply, Runtime};

use crate::Cache;
use crate::hints::Hint;
use crate::key::{Entry, Scope};
use crate::version::Version;

/// What the cache knows of an entry. Whatever it says held at one instant after the lookup began.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// The value under the current version (empty: known to be absent), and when it ends (monotonic ms).
    Found { version: Version, value: Vec<u8>, expires_ms: u64 },
    /// The current version has no entry.
    Missing { version: Version },
}

impl<R: Redis, T: Runtime> Cache<R, T> {
    pub(crate) async fn look_up(&self, entry: &Entry) -> Result<Lookup, RedisError> {
        let Some(hint) = self.hints.get(&entry.identity()) else {
            // MGET also of one key: unlike GET it takes a key of another type for missing.
            let current = self.call_one("MGET", vec![entry.scope.version().into()]).await?;
            return self.look_up_under(entry, current).await;
        };
        let keys = vec![entry.scope.version().into(), entry.key(hint.version).into()];
        let mut replies = self.call("MGET", keys).await?.into_iter();
        let (current, value) = (replies.next().unwrap_or(Reply::Nil), replies.next().unwrap_or(Reply::Nil));
        if Version::from_reply(&current) != Some(hint.version) {
            return self.look_up_under(entry, current).await;
        }
        match value.into_bytes() {
            // The entry outlived what we know of it: somebody else filled it again under the same version.
            Some(value) if hint.expires_ms <= self.runtime.monotonic_ms() => {
                let left = self.call_one("PTTL", vec![entry.key(hint.version).into()]).await?;
                Ok(self.found(entry, hint.version, value, &left))
            }
            Some(value) => Ok(Lookup::Found { version: hint.version, value, expires_ms: hint.expires_ms }),
            None => Ok(Lookup::Missing { version: hint.version }),
        }
    }

    /// The entry under the version that `current` says. Between the two commands a write may end: the answer is then
    /// older than that write, but the write was not acknowledged before this read began.
    async fn look_up_under(&self, entry: &Entry, current: Reply) -> Result<Lookup, RedisError> {
        let Some(version) = Version::from_reply(&current) else {
            let version = self.start_version(&entry.scope, current).await?;
            return Ok(Lookup::Missing { version });
        };
        let key = entry.key(version);
        let (value, left) =
            join(self.call_one("MGET", vec![key.as_str().into()]), self.call_one("PTTL", vec![key.as_str().into()]))
                .await;
        match value?.into_bytes() {
            Some(value) => Ok(self.found(entry, version, value, &left?)),
            None => Ok(Lookup::Missing { version }),
        }
    }

    fn found(&self, entry: &Entry, version: Version, value: Vec<u8>, left: &Reply) -> Lookup {
        let left_ms = left.as_int().and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0);
        let expires_ms = self.runtime.monotonic_ms() + left_ms;
        self.hints.set(entry.identity(), Hint { version, expires_ms });
        Lookup::Found { version, value, expires_ms }
    }

    /// Gives a scope without a (usable) version one that was never used before, or takes over the one that somebody
    /// else gave it meanwhile.
    pub(crate) async fn start_version(&self, scope: &Scope, current: Reply) -> Result<Version, RedisError> {
        let fresh = self.fresh_version();
        let key = || Arg::from(scope.version());
        if current == Reply::Nil {
            let set = vec![key(), fresh.number().into(), "NX".into()];
            if self.call_one("SET", set).await? != Reply::Nil {
                return Ok(fresh);
            }
            if let Some(version) = Version::from_reply(&self.call_one("MGET", vec![key()]).await?) {
                return Ok(version);
            }
        }
        // What is there but is no version (the INCR of a lost key, somebody else's value) is overwritten: a version that
        // was never used before is always a valid bump.
        self.call("SET", vec![key(), fresh.number().into()]).await?;
        Ok(fresh)
    }

    pub(crate) fn fresh_version(&self) -> Version {
        Version::fresh(self.runtime.unix_ms(), self.runtime.random_u64())
    }
}
