//! The lease and the marks: which instance fills an entry, and whether it may store the value.

use futures_util::future::join3;
use ports::{Connect, RedisError, Reply, Runtime};

use crate::entry::{Entry, Envelope, Versions};
use crate::key::{self, Scope};
use crate::read::{Reader, value_of};

/// The first and the longest pause between two checks whether another instance has stored the entry.
const POLL_MS: u64 = 4;
const POLL_MAX_MS: u64 = 32;

/// What a fill may store. The marks that decide this were counted after the versions had been read.
#[derive(Clone, Copy)]
pub(crate) struct FillPermit {
    /// A value: no write of the scope was in flight.
    pub found: bool,
    /// An absence: no write that may create it was in flight either.
    pub absent: bool,
}

/// The outcome of [`Reader::acquire_lease`].
pub(crate) enum Lease {
    /// This request fetches the value.
    Granted(FillPermit),
    /// Another instance has stored this value in the meantime (`None`: absent).
    Stored(Option<Vec<u8>>),
    /// The versions are not current any more, so no request will store a value under them.
    Outdated,
}

impl<R: Connect, T: Runtime> Reader<R, T> {
    /// Takes the lease of a fill and counts the marks. While another instance has the lease, it waits for the value
    /// that the other one stores. After `deadline_ms` (monotonic) it stops waiting, and the request fetches without a
    /// lease.
    pub(crate) async fn acquire_lease(
        &self,
        entry: &Entry,
        versions: Versions,
        fill_id: &str,
        deadline_ms: u64,
    ) -> Result<Lease, RedisError> {
        let runtime = self.client.runtime();
        let mut pause_ms = POLL_MS;
        loop {
            let (granted, permit) = self.take_lease(entry, fill_id).await?;
            // While a write is in flight, no instance stores the value, so waiting for it is useless.
            if granted || !permit.found || runtime.monotonic_ms() >= deadline_ms {
                return Ok(Lease::Granted(permit));
            }
            runtime.sleep(pause_ms).await;
            pause_ms = (pause_ms * 2).min(POLL_MAX_MS);
            let (current, reply) = self.mget(entry, Some(entry.key(versions))).await?;
            if current != Ok(versions) {
                return Ok(Lease::Outdated);
            }
            let stored = if entry.is_named() {
                let fresh = |found: &Envelope| found.timing().is_none_or(|timing| timing.ttl_ms(runtime.unix_ms()) > 0);
                self.open_current(entry, versions, reply).ok().flatten().filter(fresh).map(|found| found.value)
            } else {
                self.open_fresh(entry, reply)
            };
            if let Some(stored) = stored {
                return Ok(Lease::Stored(value_of(stored)));
            }
        }
    }

    /// Takes the lease of a fill, if no other request has it (`true`), and counts the marks.
    pub(crate) async fn take_lease(&self, entry: &Entry, fill_id: &str) -> Result<(bool, FillPermit), RedisError> {
        let args = ["1".into(), "NX".into(), "PX".into(), (self.settings.lease_ms as i64).into()];
        let set = std::iter::once(key::lease(fill_id).into()).chain(args).collect();
        let (lease, writes, creates) = join3(
            self.client.call_one("SET", set),
            self.writes_in_flight(entry.scope()),
            self.writes_in_flight(entry.absent_guard.as_ref()),
        )
        .await;
        let (lease, writes, creates) = (lease?, writes?, creates?);
        Ok((lease != Reply::Nil, FillPermit { found: !writes, absent: !writes && !creates }))
    }

    /// Whether a write that marks `scope` is in flight. Marks of dead writers count for `mark_ms`.
    pub(crate) async fn writes_in_flight(&self, scope: Option<&Scope>) -> Result<bool, RedisError> {
        let Some(scope) = scope else { return Ok(false) };
        let oldest = self.client.runtime().unix_ms().saturating_sub(self.settings.mark_ms) as i64;
        let args = vec![scope.writing().into(), oldest.into(), "+inf".into()];
        Ok(self.client.call_one("ZCOUNT", args).await?.as_int() != Some(0))
    }

    /// Releases the lease, so that others can fill the entry at once. Best effort: if it fails, the lease expires.
    pub(crate) async fn release_lease(&self, fill_id: &str) {
        if self.settings.enabled && self.client.admits() {
            let _ = self.client.call("DEL", vec![key::lease(fill_id).into()]).await;
        }
    }

    /// Lets the lease end no later than the entry that was stored. Best effort.
    pub(crate) async fn shorten_lease(&self, fill_id: &str, ttl_ms: u64) {
        if self.settings.enabled && self.client.admits() {
            let args = vec![key::lease(fill_id).into(), (ttl_ms as i64).into(), "LT".into()];
            let _ = self.client.call("PEXPIRE", args).await;
        }
    }
}
