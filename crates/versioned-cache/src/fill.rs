//! Filling an entry on a miss, so that a cold key asked for by many at once costs about one fetch.

use futures_util::future::join3;
use ports::{Arg, Connect, Redis, RedisError, Reply, Runtime};

use crate::Cache;
use crate::basis::Basis;
use crate::cache_status::Stored;
use crate::entry::Entry;
use crate::flight::{Filled, Leader, Part, Progress};
use crate::hints::Hint;
use crate::key::{self, Scope};
use crate::stats::Event;

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
    /// The basis is not current any more: nobody will store anything on it.
    Outdated,
}

/// What a request that missed is to do.
pub(crate) enum Entered<'a> {
    /// ReadResult with this (`None`: there is no such thing), which somebody else has fetched.
    Landed(Option<Vec<u8>>),
    /// Look again.
    Outdated,
    /// Fetch it.
    ToFetch(Ticket<'a>),
}

/// The right to fetch a value, and perhaps to store it.
pub(crate) struct Ticket<'a> {
    flight: String,
    leader: Option<Leader<'a>>,
    /// `None`: Redis could not be asked.
    permit: Option<Permit>,
}

impl<R: Redis + Connect + 'static, T: Runtime + 'static> Cache<R, T> {
    /// Joins the fill of an entry that `basis` does not have, or begins it. After `deadline` (monotonic ms) nobody is
    /// waited for.
    pub(crate) async fn enter(&self, entry: &Entry, basis: Basis, deadline: u64) -> Entered<'_> {
        let flight = entry.flight(basis);
        let leader = match self.flights.board(&flight) {
            Part::Leader(leader) => Some(leader),
            Part::Follower(follower) => {
                loop {
                    match follower.progress() {
                        Progress::Landed((value, _)) => return Entered::Landed(value),
                        Progress::Lost => break,
                        Progress::UnderWay if self.runtime.monotonic_ms() >= deadline => break,
                        Progress::UnderWay => self.runtime.sleep(FOLLOW_POLL_MS).await,
                    }
                }
                None
            }
        };
        let permit = match self.claim(entry, basis, &flight, deadline).await {
            Ok(Claim::Stored(value)) => {
                let value = (!value.is_empty()).then_some(value);
                if let Some(leader) = leader {
                    leader.land(&(value.clone(), Stored::Collapsed));
                }
                return Entered::Landed(value);
            }
            Ok(Claim::Outdated) => return Entered::Outdated,
            Ok(Claim::Granted(permit)) => Some(permit),
            Err(_) => None,
        };
        if let Some(leader) = &leader
            && !matches!(permit, Some(Permit { found: true, absent: true }))
        {
            leader.depart();
        }
        Entered::ToFetch(Ticket { flight, leader, permit })
    }

    /// Fetches the value of an entry, and stores it unless a write is in flight. The last part of the answer is the TTL
    /// that it was stored with, in ms.
    ///
    /// Order matters: `basis` was read first, the marks were counted next, the value is fetched last (see the crate
    /// docs).
    pub(crate) async fn fill<E>(
        &self,
        entry: &Entry,
        basis: Basis,
        ticket: Ticket<'_>,
        fetch: impl AsyncFnOnce() -> Result<Option<Vec<u8>>, E>,
    ) -> Result<(Option<Vec<u8>>, Stored, u64), E> {
        let Ticket { flight, leader, permit } = ticket;
        let value = match fetch().await {
            Ok(value) => value,
            Err(error) => {
                self.release_lease(&flight).await;
                return Err(error);
            }
        };
        let (stored, ttl_ms) = match permit {
            None => (Stored::Failed, 0),
            Some(permit) if if value.is_some() { permit.found } else { permit.absent } => {
                let ttl_ms = entry.ttl_ms(value.is_some(), self.runtime.random_u64());
                let stored = self.store(entry, basis, value.as_deref(), ttl_ms).await;
                // An absence is cached, but it is nothing to list. What somebody else stored, he has registered.
                if stored == Stored::Yes && value.is_some() {
                    self.register(&[(entry, ttl_ms)]).await;
                }
                (stored, ttl_ms)
            }
            Some(_) => (Stored::WriteInFlight, 0),
        };
        if matches!(stored, Stored::WriteInFlight | Stored::Overtaken) {
            self.release_lease(&flight).await;
        }
        let filled: Filled = (value, stored);
        if let Some(leader) = leader {
            leader.land(&filled);
        }
        Ok((filled.0, filled.1, ttl_ms))
    }

    /// Takes the lease of the flight and counts the marks; while another instance has the lease, waits for what it
    /// stores. At `deadline` (monotonic ms) the waiting is over and the value is fetched all the same.
    async fn claim(&self, entry: &Entry, basis: Basis, flight: &str, deadline: u64) -> Result<Claim, RedisError> {
        let mut pause = LEASE_POLL_MS;
        loop {
            let take = vec![
                key::lease(flight).into(),
                "1".into(),
                "NX".into(),
                "PX".into(),
                (self.settings.lease_ms as i64).into(),
            ];
            let (lease, writes, guarded) = join3(
                self.call_one("SET", take),
                self.writes_in_flight(entry.scope()),
                self.writes_in_flight(entry.absent_guard.as_ref()),
            )
            .await;
            let (lease, writes, guarded) = (lease?, writes?, guarded?);
            // While a write is in flight nobody stores, so there is nothing to wait for.
            if lease != Reply::Nil || writes || self.runtime.monotonic_ms() >= deadline {
                return Ok(Claim::Granted(Permit { found: !writes, absent: !writes && !guarded }));
            }
            self.runtime.sleep(pause).await;
            pause = (pause * 2).min(LEASE_POLL_MAX_MS);
            let (current, there) = self.ask_for(entry, Some(entry.key(basis))).await?;
            if !matches!(current, Ok(current) if current == basis) {
                return Ok(Claim::Outdated);
            }
            let value = if entry.is_named() {
                self.opened(entry, basis, there).ok().flatten().map(|found| found.value)
            } else {
                there.into_bytes()
            };
            if let Some(value) = value {
                return Ok(Claim::Stored(value));
            }
        }
    }

    /// Whether a write that marks `scope` is in flight. Marks of writers that died stop counting after `mark_ms`.
    pub(crate) async fn writes_in_flight(&self, scope: Option<&Scope>) -> Result<bool, RedisError> {
        let Some(scope) = scope else { return Ok(false) };
        let oldest = self.runtime.unix_ms().saturating_sub(self.settings.mark_ms) as i64;
        let count = self.call_one("ZCOUNT", vec![scope.writing().into(), oldest.into(), "+inf".into()]).await?;
        Ok(count.as_int() != Some(0))
    }

    /// Stores a value (`None`: absent) on the basis that was read before it was fetched. The lease is left to end by
    /// itself: whoever comes next finds the entry.
    pub(crate) async fn store(&self, entry: &Entry, basis: Basis, value: Option<&[u8]>, ttl_ms: u64) -> Stored {
        let value = value.unwrap_or_default();
        let stored = async {
            if entry.is_named() {
                return self.store_named(entry, basis, value, ttl_ms).await;
            }
            self.call("SET", set(entry.key(basis), value.to_vec(), ttl_ms, None)).await.map(|_| true)
        };
        match stored.await {
            Err(error) => {
                self.log_failure("an entry was not stored", &error);
                self.count(entry, Event::Error);
                Stored::Failed
            }
            Ok(false) => Stored::Overtaken,
            Ok(true) => {
                self.count(entry, Event::Fill);
                if !entry.is_named() {
                    let expires_ms = self.runtime.monotonic_ms() + ttl_ms;
                    self.hints.set(entry.place.clone(), Hint { basis, expires_ms });
                }
                Stored::Yes
            }
        }
    }

    /// Lets others fill at once what we did not. Best effort: the lease ends by itself.
    async fn release_lease(&self, flight: &str) {
        if self.admit().is_ok() {
            let _ = self.call("DEL", vec![key::lease(flight).into()]).await;
        }
    }
}

/// The arguments of a SET with a TTL in ms and, maybe, a condition.
pub(crate) fn set(key: String, value: Vec<u8>, ttl_ms: u64, condition: Option<&str>) -> Vec<Arg> {
    let words = [key.into(), value.into(), "PX".into(), (ttl_ms as i64).into()];
    words.into_iter().chain(condition.map(Arg::from)).collect()
}
