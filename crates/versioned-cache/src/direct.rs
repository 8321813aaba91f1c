//! Entries as a client handles them, one by one and in bulk: get, set, delete.

use futures_util::future::{join_all, join3};
use ports::{Arg, Connect, Redis, RedisError, Runtime};

use crate::Cache;
use crate::basis::Basis;
use crate::batch::WIDTH;
use crate::entry::Entry;
use crate::envelope::Envelope;
use crate::place::Place;
use crate::stats::Event;

/// How often values are set again that were set on generations that had gone.
const ATTEMPTS: u32 = 3;

/// A value that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// As it was set or fetched.
    pub value: Vec<u8>,
    /// How long it will live, in ms.
    pub ttl_ms: u64,
    /// Its key in Redis.
    pub key: String,
}

/// [`RedisError::Unreachable`] after some attempts, [`RedisError::Refused`] when Redis is full: so everywhere here.
impl<R: Redis + Connect + 'static, T: Runtime + 'static> Cache<R, T> {
    /// The value of an entry, if it has one.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn get(&self, entry: &Entry) -> Result<Option<Cached>, RedisError> {
        Ok(self.mget(std::slice::from_ref(entry)).await?.pop().flatten())
    }

    /// The values of entries, in their order: one command if they are named.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn mget(&self, entries: &[Entry]) -> Result<Vec<Option<Cached>>, RedisError> {
        let found = self.peek(entries).await?;
        for (entry, cached) in entries.iter().zip(&found) {
            self.count(entry, if cached.is_some() { Event::Hit } else { Event::Miss });
        }
        Ok(found)
    }

    /// How long the value of an entry will live, in ms; `None` if it has none. Counts as no read.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn exists(&self, entry: &Entry) -> Result<Option<u64>, RedisError> {
        Ok(self.peek(std::slice::from_ref(entry)).await?.pop().flatten().map(|cached| cached.ttl_ms))
    }

    async fn peek(&self, entries: &[Entry]) -> Result<Vec<Option<Cached>>, RedisError> {
        let seen = self.patiently(async || self.look_up_many(entries).await).await?;
        let now_ms = self.runtime.monotonic_ms();
        let found = entries.iter().zip(seen).map(|(entry, seen)| {
            let (value, basis) = (seen.value.filter(|value| !value.is_empty())?, seen.basis.ok()?);
            Some(Cached { value, ttl_ms: seen.expires_ms.saturating_sub(now_ms), key: entry.key(basis) })
        });
        Ok(found.collect())
    }

    /// Sets the value of an entry. No fetch that began before this returned will replace it. Of a scope all other entries
    /// are outdated.
    ///
    /// # Errors
    /// Redis does not answer or is full: it may or may not be set.
    pub async fn set(&self, entry: &Entry, value: &[u8]) -> Result<(), RedisError> {
        self.mset(&[(entry.clone(), value.to_vec())]).await
    }

    /// Sets many, each as [`Cache::set`] does, by one MSET; another round trip (or a few, for hundreds) sets their ends.
    ///
    /// # Errors
    /// Redis does not answer or is full: some may be set.
    pub async fn mset(&self, values: &[(Entry, Vec<u8>)]) -> Result<(), RedisError> {
        self.patiently(async || {
            // If the generations were not what this instance thought, now it knows. If they change each time, an
            // invalidation came during this call, and may as well have come after it.
            for _ in 0..ATTEMPTS {
                if self.mset_once(values).await? {
                    break;
                }
            }
            Ok(())
        })
        .await
    }

    /// Whether what the values were set on was current.
    async fn mset_once(&self, values: &[(Entry, Vec<u8>)]) -> Result<bool, RedisError> {
        let others: Vec<Vec<String>> = values.iter().map(|(entry, _)| entry.other_keys()).collect();
        let known = self.known_numbers(others.iter().flatten()).await?;
        let now_ms = self.runtime.unix_ms();
        let mut pairs: Vec<Arg> = Vec::with_capacity(values.len() * 4);
        let mut lives = Vec::with_capacity(values.len() * 2);
        let mut stored = Vec::with_capacity(values.len());
        for ((entry, value), others) in values.iter().zip(&others) {
            let others: Vec<_> = others.iter().filter_map(|key| known.get(key).copied()).collect();
            let basis = Basis::new(self.fresh_version(), &others);
            let ttl_ms = entry.ttl_ms(true, self.runtime.random_u64());
            // One command, so that of two who set the same entry one wins, with version and value.
            pairs.extend([entry.version_key().into(), basis.version.number().into(), entry.key(basis).into()]);
            if entry.is_named() {
                pairs.push(Envelope::seal(basis, now_ms + ttl_ms, value).into());
                lives.push((entry.version_key(), ttl_ms));
            } else {
                pairs.push(value.clone().into());
            }
            lives.push((entry.key(basis), ttl_ms));
            stored.push((entry, ttl_ms));
        }
        self.call_large("MSET", pairs).await?;
        // Only now, for commands that are under way together may overtake one another. If this instance dies before, the
        // end in the envelope counts.
        let live = async {
            for some in lives.chunks(WIDTH) {
                // Of two who set the same entry, the longer life holds, whoever was the last to say so.
                let ends = some.iter().flat_map(|(key, ms)| {
                    let live = |only: &str| vec![key.as_str().into(), Arg::Int(*ms as i64), only.into()];
                    [self.call("PEXPIRE", live("NX")), self.call("PEXPIRE", live("GT"))]
                });
                join_all(ends).await.into_iter().try_for_each(|outcome| outcome.map(drop))?;
            }
            Ok(())
        };
        let (lives, (), still) = join3(live, self.register(&stored), self.still_numbers(&known)).await;
        lives?;
        still
    }

    /// Removes an entry: no fetch that began before this returned will bring it back. `true`: it was there. Of a scope
    /// all entries go.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn delete(&self, entry: &Entry) -> Result<bool, RedisError> {
        self.patiently(async || match &entry.place {
            Place::Named { path } => Ok(self.unlink_named(std::slice::from_ref(path)).await? > 0),
            Place::Scoped { scope, .. } => {
                let seen = self.look_up_many(std::slice::from_ref(entry)).await?;
                self.bump_one(scope).await?;
                Ok(seen.iter().any(|seen| seen.value.is_some()))
            }
        })
        .await
    }
}
