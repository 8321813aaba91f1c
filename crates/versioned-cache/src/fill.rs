//! Filling an entry on a miss, so that a cold key asked for by many at once costs about one fetch.

use futures_util::future::join3;
use redis_port::{Redis, RedisError, Reply, Runtime};

use crate::Cache;
use crate::cache_status::Stored;
use crate::flight::{Filled, Part, Progress};
use crate::hints::Hint;
use crate::key::{Entry, Scope, lease_key};
use crate::stats::Event;
use crate::version::Version;

/// How often a follower looks whether this instance's fill has landed.
const FOLLOW_POLL_MS: u64 = 2;
/// How often a reader looks whether another instance has stored the entry: at first, and at most.
const LEASE_POLL_MS: u64 = 4;
const LEASE_POLL_MAX_MS: u64 = 32;

/// What the cache allows a fill to do with its value.
struct Permit {
    /// A value may be stored: no write of the scope was in flight after its version had been read.
    found: bool,
    /// "There is no such thing" may be stored.
    absent: bool,
}

/// What [`Cache::claim`] ended with.
enum Claim {
    /// Ours to fill.
    Granted(Permit),
    /// Another instance has stored it meanwhile.
    Stored(Vec<u8>),
}

impl<R: Redis + 'static, T: Runtime + 'static> Cache<R, T> {
    /// Fetches the value of an entry that `version` does not have, and stores it unless a write is in flight.
    ///
    /// Order matters: `version` was read first, the marks are counted next, the row is read last (see the crate docs).
    pub(crate) async fn fill<E>(
        &self,
        entry: &Entry,
        version: Version,
        fetch: impl AsyncFnOnce() -> Result<Option<Vec<u8>>, E>,
    ) -> Result<Filled, E> {
        let key = entry.key(version);
        let deadline = self.runtime.monotonic_ms() + self.settings.fill_wait_ms;
        let leader = match self.flights.board(&key) {
            Part::Leader(leader) => Some(leader),
            Part::Follower(follower) => {
                loop {
                    match follower.progress() {
                        Progress::Landed((value, _)) => return Ok((value, Stored::Collapsed)),
                        Progress::Lost => break,
                        Progress::UnderWay if self.runtime.monotonic_ms() >= deadline => break,
                        Progress::UnderWay => self.runtime.sleep(FOLLOW_POLL_MS).await,
                    }
                }
                None
            }
        };
        let permit = match self.claim(entry, &key, deadline).await {
            Ok(Claim::Stored(value)) => {
                let filled = ((!value.is_empty()).then_some(value), Stored::Collapsed);
                if let Some(leader) = leader {
                    leader.land(&filled);
                }
                return Ok(filled);
            }
            Ok(Claim::Granted(permit)) => Some(permit),
            Err(_) => None,
        };
        if let Some(leader) = &leader
            && !matches!(permit, Some(Permit { found: true, absent: true }))
        {
            leader.depart();
        }
        let value = match fetch().await {
            Ok(value) => value,
            Err(error) => {
                self.release_lease(&key).await;
                return Err(error);
            }
        };
        let stored = match permit {
            None => Stored::Failed,
            Some(permit) if if value.is_some() { permit.found } else { permit.absent } => {
                self.store(entry, version, &key, value.as_deref()).await
            }
            Some(_) => {
                self.release_lease(&key).await;
                Stored::WriteInFlight
            }
        };
        let filled = (value, stored);
        if let Some(leader) = leader {
            leader.land(&filled);
        }
        Ok(filled)
    }

    /// Takes the lease of `key` and counts the marks; while another instance has the lease, waits for what it stores.
    /// At `deadline` (monotonic ms) the waiting is over and the database is asked all the same.
    async fn claim(&self, entry: &Entry, key: &str, deadline: u64) -> Result<Claim, RedisError> {
        let mut pause = LEASE_POLL_MS;
        loop {
            let take = vec![
                lease_key(key).into(),
                "1".into(),
                "NX".into(),
                "PX".into(),
                (self.settings.lease_ms as i64).into(),
            ];
            let (lease, writes, guarded) =
                join3(self.call_one("SET", take), self.writes_in_flight(&entry.scope), async {
                    match &entry.absent_guard {
                        Some(guard) => self.writes_in_flight(guard).await,
                        None => Ok(false),
                    }
                })
                .await;
            let (lease, writes, guarded) = (lease?, writes?, guarded?);
            // While a write is in flight nobody stores, so there is nothing to wait for.
            if lease != Reply::Nil || writes || self.runtime.monotonic_ms() >= deadline {
                return Ok(Claim::Granted(Permit { found: !writes, absent: !writes && !guarded }));
            }
            self.runtime.sleep(pause).await;
            pause = (pause * 2).min(LEASE_POLL_MAX_MS);
            if let Some(value) = self.call_one("GET", vec![key.into()]).await?.into_bytes() {
                return Ok(Claim::Stored(value));
            }
        }
    }

    /// Whether a write that marks `scope` is in flight. Marks of writers that died stop counting after `mark_ms`.
    pub(crate) async fn writes_in_flight(&self, scope: &Scope) -> Result<bool, RedisError> {
        let oldest = self.runtime.unix_ms().saturating_sub(self.settings.mark_ms) as i64;
        let count = self.call_one("ZCOUNT", vec![scope.writing().into(), oldest.into(), "+inf".into()]).await?;
        Ok(count.as_int() != Some(0))
    }

    /// Stores a value (`None`: absent) under the version that was read before the row. The lease is left to end by
    /// itself: whoever comes next finds the entry.
    pub(crate) async fn store(&self, entry: &Entry, version: Version, key: &str, value: Option<&[u8]>) -> Stored {
        let ttl_ms = entry.ttl.jittered_ms(value.is_some(), self.runtime.random_u64());
        let set = vec![key.into(), value.unwrap_or_default().to_vec().into(), "PX".into(), (ttl_ms as i64).into()];
        if let Err(error) = self.call("SET", set).await {
            self.log_failure("an entry was not stored", &error);
            self.count(entry, Event::Error);
            return Stored::Failed;
        }
        self.hints.set(entry.identity(), Hint { version, expires_ms: self.runtime.monotonic_ms() + ttl_ms });
        Stored::Yes
    }

    /// Lets others fill at once what we did not. Best effort: the lease ends by itself.
    async fn release_lease(&self, key: &str) {
        if self.admit().is_ok() {
            let _ = self.call("DEL", vec![lease_key(key).into()]).await;
        }
    }
}
