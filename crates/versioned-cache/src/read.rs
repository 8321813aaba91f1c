//! Reading one entry, cache first.

use ports::{Connect, Redis, RedisError, Runtime};

use crate::Cache;
use crate::cache_status::{Bypass, CacheStatus, Source, Stored};
use crate::entry::Entry;
use crate::fill::Entered;
use crate::lookup::Lookup;
use crate::stats::Event;

/// An answer and how it came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadResult {
    /// The value, byte for byte as it was fetched; `None`: there is no such thing.
    pub value: Option<Vec<u8>>,
    /// Where it came from.
    pub status: CacheStatus,
}

impl<R: Redis + Connect + 'static, T: Runtime + 'static> Cache<R, T> {
    /// Cache-aside: answers from the cache, or else with what `fetch` gets from where the truth is (`None`: there is no
    /// such thing), which is then stored.
    ///
    /// # Errors
    /// Those of `fetch`. Redis never fails a read.
    pub async fn get_or_set<E>(
        &self,
        entry: &Entry,
        fetch: impl AsyncFnOnce() -> Result<Option<Vec<u8>>, E>,
    ) -> Result<ReadResult, E> {
        if !entry.is_cacheable() {
            return Ok(ReadResult { value: fetch().await?, status: CacheStatus::bypass(Bypass::Disabled) });
        }
        let deadline = self.runtime.monotonic_ms() + self.settings.fill_wait_ms;
        let mut missed = false;
        loop {
            let basis = match self.ask(self.look_up(entry)).await {
                Ok(Lookup::Found { basis, value, .. }) if missed => {
                    // Somebody else has stored it on the new basis, while this request waited on the old one.
                    self.count(entry, Event::Collapsed);
                    let value = (!value.is_empty()).then_some(value);
                    return Ok(self.miss(entry.key(basis), value, Stored::Collapsed, 0));
                }
                Ok(Lookup::Found { basis, value, expires_ms }) => {
                    self.count(entry, Event::Hit);
                    return Ok(self.hit(entry.key(basis), value, expires_ms));
                }
                Ok(Lookup::Missing { basis }) => basis,
                Err(reason) => {
                    if reason != Bypass::Disabled {
                        self.count(entry, Event::Bypass);
                    }
                    return Ok(ReadResult { value: fetch().await?, status: CacheStatus::bypass(reason) });
                }
            };
            if !std::mem::replace(&mut missed, true) {
                self.count(entry, Event::Miss);
            }
            match self.enter(entry, basis, deadline).await {
                Entered::Landed(value) => {
                    self.count(entry, Event::Collapsed);
                    return Ok(self.miss(entry.key(basis), value, Stored::Collapsed, 0));
                }
                Entered::Outdated => {}
                Entered::ToFetch(ticket) => {
                    let (value, stored, ttl_ms) = self.fill(entry, basis, ticket, fetch).await?;
                    return Ok(self.miss(entry.key(basis), value, stored, ttl_ms));
                }
            }
        }
    }

    /// Asks Redis if it may be asked now; if there is no answer, why.
    pub(crate) async fn ask<V>(&self, lookup: impl Future<Output = Result<V, RedisError>>) -> Result<V, Bypass> {
        self.admit()?;
        lookup.await.map_err(|error| {
            self.log_failure("a lookup failed", &error);
            Bypass::Unreachable
        })
    }

    pub(crate) fn hit(&self, key: String, value: Vec<u8>, expires_ms: u64) -> ReadResult {
        let ttl_s = expires_ms.saturating_sub(self.runtime.monotonic_ms()).div_ceil(1000);
        ReadResult {
            value: (!value.is_empty()).then_some(value),
            status: CacheStatus { source: Source::Hit, ttl_s: Some(ttl_s), key: Some(key) },
        }
    }

    pub(crate) fn miss(&self, key: String, value: Option<Vec<u8>>, stored: Stored, ttl_ms: u64) -> ReadResult {
        let ttl_s = (stored == Stored::Yes).then_some(ttl_ms.div_ceil(1000));
        ReadResult { value, status: CacheStatus { source: Source::Miss(stored), ttl_s, key: Some(key) } }
    }
}
