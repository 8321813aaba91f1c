//! What happens on a miss: one request fetches and stores the value, and the others share its result. So a burst of
//! requests for a cold key costs about one fetch.

mod batch;
mod grace;
mod lease;
mod refresh;
mod single_flight;
mod store;

use std::rc::Rc;

use ports::{Connect, Runtime};

pub(crate) use self::batch::Current;
use self::lease::{FillPermit, Lease};
pub(crate) use self::refresh::Refresher;
pub(crate) use self::single_flight::SingleFlight;
use self::single_flight::{FillRole, Follower, Leader, Progress};
use self::store::{Fetched, Replaced};
use crate::entry::{Entry, Versions};
use crate::invalidate::Registry;
use crate::read::{Bypass, Lookup, ReadResult, Reader, Stored, value_of};
use crate::stats::Event;

/// How often a follower checks whether the fill of its leader is complete.
const FOLLOW_POLL_MS: u64 = 2;

/// Fetches and stores what a read has missed.
pub(crate) struct Filler<R: Connect, T> {
    pub reader: Rc<Reader<R, T>>,
    pub registry: Rc<Registry<R, T>>,
    pub single_flight: SingleFlight,
}

/// A value that was fetched, and what became of it.
struct Outcome {
    /// `None`: absent.
    value: Option<Vec<u8>>,
    stored: Stored,
    /// The TTL that it was stored with.
    ttl_ms: u64,
}

impl<R: Connect, T: Runtime> Filler<R, T> {
    /// The result of a read that found no entry under `versions`: from the fill of another request, or from `fetch`.
    /// After `deadline_ms` (monotonic) it waits for no other request.
    ///
    /// The order of the commands is what keeps stale values out of the cache (see the crate docs): the versions were
    /// read first; then the marks are counted; then the value is fetched; then it is stored under those versions.
    pub(crate) async fn fill<E>(
        &self,
        entry: &Entry,
        mut versions: Versions,
        deadline_ms: u64,
        fetch: impl AsyncFnOnce() -> Result<Option<Vec<u8>>, E>,
    ) -> Result<ReadResult, E> {
        loop {
            let id = entry.fill_id(versions);
            let leader = match self.single_flight.join(&id) {
                FillRole::Leader(leader) => Some(leader),
                FillRole::Follower(follower) => match self.follow(&follower, deadline_ms).await {
                    Some(value) => return Ok(self.collapsed(entry, versions, value)),
                    None => None,
                },
            };
            let permit = match self.reader.acquire_lease(entry, versions, &id, deadline_ms).await {
                Ok(Lease::Granted(permit)) => Some(permit),
                Err(_) => None,
                Ok(Lease::Stored(value)) => {
                    if let Some(leader) = leader {
                        leader.complete(value.clone());
                    }
                    return Ok(self.collapsed(entry, versions, value));
                }
                Ok(Lease::Outdated) => {
                    drop(leader);
                    let found = self.reader.unless_bypassed(self.reader.look_up(entry)).await;
                    match found.map(Lookup::unless_ended) {
                        Ok(Lookup::Missing { versions: current }) => versions = current,
                        Ok(Lookup::Found(found)) => {
                            return Ok(self.collapsed(entry, found.versions, value_of(found.value)));
                        }
                        Err(reason) => {
                            if reason != Bypass::Disabled {
                                self.reader.stats.count(entry, Event::Bypass);
                            }
                            return Ok(ReadResult::bypass(reason, fetch().await?));
                        }
                    }
                    continue;
                }
            };
            let fetched = self.fetch(entry, versions, &id, leader, permit, fetch, Replaced::Ended).await;
            return fetched
                .map(|Outcome { value, stored, ttl_ms }| ReadResult::miss(entry.key(versions), value, stored, ttl_ms));
        }
    }

    /// Waits for the leader's result; `None`: there will be none, or not in time.
    async fn follow(&self, follower: &Follower, deadline_ms: u64) -> Option<Option<Vec<u8>>> {
        let runtime = self.reader.client.runtime();
        loop {
            match follower.progress() {
                Progress::Complete(value) => return Some(value),
                Progress::Abandoned => return None,
                Progress::UnderWay if runtime.monotonic_ms() >= deadline_ms => return None,
                Progress::UnderWay => runtime.sleep(FOLLOW_POLL_MS).await,
            }
        }
    }

    /// The result of a request that shares the value of another.
    fn collapsed(&self, entry: &Entry, versions: Versions, value: Option<Vec<u8>>) -> ReadResult {
        self.reader.stats.count(entry, Event::Collapsed);
        ReadResult::miss(entry.key(versions), value, Stored::Collapsed, 0)
    }

    /// Fetches the value, stores it if `permit` (`None`: Redis failed) allows it, and gives it to the followers.
    #[expect(clippy::too_many_arguments, reason = "all of them describe one fill, which has no life of its own")]
    async fn fetch<E>(
        &self,
        entry: &Entry,
        versions: Versions,
        fill_id: &str,
        leader: Option<Leader<'_>>,
        permit: Option<FillPermit>,
        fetch: impl AsyncFnOnce() -> Result<Option<Vec<u8>>, E>,
        replaces: Replaced,
    ) -> Result<Outcome, E> {
        if let Some(leader) = &leader
            && !matches!(permit, Some(FillPermit { found: true, absent: true }))
        {
            leader.close();
        }
        let (runtime, settings) = (self.reader.client.runtime(), &self.reader.settings);
        let began_ms = runtime.monotonic_ms();
        let value = match fetch().await {
            Ok(value) => value,
            Err(error) => {
                self.reader.release_lease(fill_id).await;
                return Err(error);
            }
        };
        let allowed = permit.map(|permit| if value.is_some() { permit.found } else { permit.absent });
        let (stored, ttl_ms) = match allowed {
            None => (Stored::Failed, 0),
            Some(false) => (Stored::WriteInFlight, 0),
            Some(true) => {
                let took_ms = runtime.monotonic_ms() - began_ms;
                let fetched = Fetched { value: value.as_deref(), took_ms, replaces };
                let (stored, ttl_ms) = self.reader.store(entry, versions, fetched).await;
                // Absences are not registered. If another request stored the entry, that request registers it.
                if stored == Stored::Yes && value.is_some() {
                    self.registry.register(&[(entry, settings.life_ms(true, ttl_ms))]).await;
                }
                (stored, ttl_ms)
            }
        };
        // A stored entry makes its lease useless, so the lease may end by itself. But it must not outlive the entry:
        // the next request would wait for a fill that nobody does. With refresh-ahead it is released, because the
        // refresh of this entry takes the same lease.
        let ends_by_itself = !matches!(stored, Stored::WriteInFlight | Stored::Overtaken);
        if !ends_by_itself || settings.refresh_ahead > 0.0 {
            self.reader.release_lease(fill_id).await;
        } else if stored == Stored::Yes && ttl_ms < settings.lease_ms {
            self.reader.shorten_lease(fill_id, ttl_ms).await;
        }
        if let Some(leader) = leader {
            leader.complete(value.clone());
        }
        Ok(Outcome { value, stored, ttl_ms })
    }
}
