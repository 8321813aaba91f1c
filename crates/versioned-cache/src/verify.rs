//! A cache that checks itself: after some of the hits, the value is read from the source and compared.
//!
//! # A check
//!
//! It runs after the response, in this order: it fetches the value from the source; it counts the marks of writes in
//! flight; it reads the versions and the entry again, with one MGET. It is a *verdict* only if there was no mark, and
//! the MGET found the value of the hit under the versions of the hit. Then equal bytes are counted as `verified`. Other
//! bytes are counted as `stale` and logged, and the entry is invalidated for all instances. Otherwise, or if the source
//! or Redis fails, there is no verdict.
//!
//! # Why there is no false alarm
//!
//! The last MGET of a check is what any read would do at that instant, and it comes after the row was read from the
//! source. So a verdict `stale` is itself an example of a stale read: the row had another value, and later a read would
//! still get the old one. The crate docs prove that there is no such read while all rows are written through
//! [`Cache::write`](crate::Cache::write) and Redis is reachable for the writers. The same in steps: the entry was
//! filled from a row that was read at the time *f*. The check read the row at *c*, and its MGET ran at *m*, in this
//! order. Assume that a write *w* was committed between *f* and *c*.
//!
//! 1. The filler read the versions, then counted the marks and found none, then read the row (*f*).
//! 2. The mark of *w* was set before the first bump of *w*, and it stayed until after the commit. So the filler counted
//!    the marks before *w* set its mark, and it read the versions before the first bump of *w*.
//! 3. The first bump of *w* came before its statement, so before *c* and before *m*. So at *m* the versions were not
//!    those that the filler had read: no verdict.
//!
//! The versions must be read *after* the fetch. A check that compares the row with the hit, and does not read the
//! versions again, reports a stale entry for each write between the two. The explorer shows that
//! (`Weakness::VersionsAreNotReadAgain`).
//!
//! The marks are for a write whose mark reached Redis and whose first bump did not, with
//! [`WritePolicy::Available`](crate::WritePolicy::Available). Its entries are stale, but it is not acknowledged yet.
//! The marks are counted *before* the versions are read: a writer sends its second bump before it removes its mark, so
//! if the mark is gone, the versions have changed.
//!
//! # What a verdict `stale` means
//!
//! - A row was changed in the database without the protocol.
//! - Redis was unreachable for a writer, and the policy is to commit: the entry is stale until the bump succeeds.
//! - Redis came back with old data, or lost the marks of a write in flight.
//! - The clocks or time limits are not as the crate docs require.
//! - An earlier or later release of the program writes the same row with other bytes. (The log has equal row versions.)
//! - There is a bug in the protocol.
//!
//! Only what came from the source can be stale. A named entry that a client has set may rightly differ from the source,
//! so it is never checked: the envelope says which values were fetched. For a fetched one, `stale` means that the
//! source has changed and nobody has invalidated the entry. A source that changes without the protocol sets no marks,
//! so this also finds an entry in the moment between a change and the invalidation that follows it.
//!
//! # Load
//!
//! An instance runs one check at a time. After a failure of the source it runs none for [`PAUSE_MS`]. A check takes no
//! lease and stores nothing. A hit that is not checked costs one fast random number, and nothing if the ratio is 0. The
//! choice is random because an instance may serve only a few requests: a counter of hits would never reach 1,000.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use futures_util::future::join;
use ports::{Connect, RedisError, Runtime};
use serde_json::Value;

use crate::entry::{Entry, EntryId, Version, Versions, digest};
use crate::fill::Current;
use crate::read::{Found, Reader};
use crate::stats::Event;
use crate::write::Writer;

/// How long an instance checks nothing after the source has failed.
const PAUSE_MS: u64 = 10_000;

/// Checks hits.
pub(crate) struct Verifier<R: Connect, T> {
    reader: Rc<Reader<R, T>>,
    writer: Rc<Writer<R, T>>,
    random: RefCell<fastrand::Rng>,
    /// Whether a check is under way.
    checking: Rc<Cell<bool>>,
    /// Whether the source failed in the last check.
    source_fails: Cell<bool>,
    /// Monotonic time in ms.
    paused_until_ms: Cell<u64>,
}

/// A hit under check.
struct Hit {
    entry: Entry,
    versions: Versions,
    /// Empty: absent.
    value: Vec<u8>,
    /// How long the entry still lives. `None`: not known.
    ttl_ms: Option<i64>,
}

/// Allows the next check, also if this one is cancelled with its request.
struct Checking(Rc<Cell<bool>>);

impl Drop for Checking {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl<R: Connect, T: Runtime> Verifier<R, T> {
    pub(crate) fn new(reader: &Rc<Reader<R, T>>, writer: &Rc<Writer<R, T>>) -> Self {
        let seed = if reader.settings.verify_ratio > 0.0 { reader.client.runtime().random_u64() } else { 0 };
        Self {
            reader: Rc::clone(reader),
            writer: Rc::clone(writer),
            random: RefCell::new(fastrand::Rng::with_seed(seed)),
            checking: Rc::default(),
            source_fails: Cell::default(),
            paused_until_ms: Cell::default(),
        }
    }

    /// Starts a check of the hit, if it is chosen at random. `fetch` reads the source.
    pub(crate) fn on_hit<E: 'static>(
        self: &Rc<Self>,
        entry: &Entry,
        found: &Found,
        fetch: impl AsyncFnOnce() -> Result<Option<Vec<u8>>, E> + 'static,
    ) {
        if found.fetched && self.chooses(1) {
            let (versions, value, ttl_ms) = (found.versions, found.value.clone(), Some(found.ttl_ms));
            self.start(Hit { entry: entry.clone(), versions, value, ttl_ms }, fetch);
        }
    }

    /// Starts a check of one of the hits of a batch, if one is chosen at random.
    pub(crate) fn on_hits<E: 'static>(
        self: &Rc<Self>,
        entries: &[Entry],
        found: &[Current],
        fetch: impl AsyncFnOnce(&[usize]) -> Result<Vec<Option<Vec<u8>>>, E> + 'static,
    ) {
        if entries.is_empty() || !self.chooses(entries.len()) {
            return;
        }
        let at = self.random.borrow_mut().usize(..entries.len());
        // A batch does not know whether a named entry was fetched or set.
        if let (versions, Some(value)) = &found[at]
            && !entries[at].is_named()
        {
            let hit = Hit { entry: entries[at].clone(), versions: *versions, value: value.clone(), ttl_ms: None };
            self.start(hit, async move || Ok::<_, E>(fetch(&[at]).await?.pop().flatten()));
        }
    }

    /// Whether to check one of `hits` hits now: a random choice.
    fn chooses(&self, hits: usize) -> bool {
        let ratio = self.reader.settings.verify_ratio;
        ratio > 0.0
            && self.random.borrow_mut().f64() < ratio * hits as f64
            && !self.checking.get()
            && self.reader.client.runtime().monotonic_ms() >= self.paused_until_ms.get()
    }

    fn start<E: 'static>(self: &Rc<Self>, hit: Hit, fetch: impl AsyncFnOnce() -> Result<Option<Vec<u8>>, E> + 'static) {
        self.checking.set(true);
        let (verifier, checking) = (Rc::clone(self), Checking(Rc::clone(&self.checking)));
        self.reader.client.runtime().spawn(async move {
            verifier.check(&hit, fetch).await;
            drop(checking);
        });
    }

    async fn check<E>(&self, hit: &Hit, fetch: impl AsyncFnOnce() -> Result<Option<Vec<u8>>, E>) {
        let Ok(value) = fetch().await else { return self.pause() };
        self.source_fails.set(false);
        // No row and an empty entry are the same: absent.
        let value = value.unwrap_or_default();
        if self.is_current(hit).await != Ok(true) {
            return;
        }
        let stats = &self.reader.stats;
        if value == hit.value {
            stats.count(&hit.entry, Event::Verified);
            return;
        }
        stats.count(&hit.entry, Event::Stale);
        let healed = self.invalidate(hit).await;
        report(hit, &value, healed);
    }

    /// The source has failed: checks must not add to its load.
    fn pause(&self) {
        self.paused_until_ms.set(self.reader.client.runtime().monotonic_ms() + PAUSE_MS);
        if !self.source_fails.replace(true) {
            tracing::warn!(pause_ms = PAUSE_MS, "a check of the cache could not read the source");
        }
    }

    /// Whether a read at this instant would return the value of the hit, and no write in flight is known.
    async fn is_current(&self, hit: &Hit) -> Result<bool, RedisError> {
        let (reader, entry) = (&self.reader, &hit.entry);
        if !reader.client.admits() {
            return Ok(false);
        }
        // An absence ends with a create, which can only mark the list.
        let creates = entry.absent_guard.as_ref().filter(|_| hit.value.is_empty());
        let (writes, creates) = join(reader.writes_in_flight(entry.scope()), reader.writes_in_flight(creates)).await;
        Ok(!writes? && !creates? && self.is_unchanged(hit).await?)
    }

    /// Whether the entry has the versions and the value of the hit.
    async fn is_unchanged(&self, hit: &Hit) -> Result<bool, RedisError> {
        let (versions, reply) = self.reader.mget(&hit.entry, Some(hit.entry.key(hit.versions))).await?;
        let value = if hit.entry.is_named() {
            self.reader.open_current(&hit.entry, hit.versions, reply).ok().flatten().map(|found| found.value)
        } else {
            self.reader.open_scoped(&hit.entry, reply).map(|opened| opened.value)
        };
        Ok(versions == Ok(hit.versions) && value.as_ref() == Some(&hit.value))
    }

    /// Makes the entry outdated for all instances.
    async fn invalidate(&self, hit: &Hit) -> Result<(), RedisError> {
        let Reader { client, settings, .. } = &*self.reader;
        match &hit.entry.id {
            EntryId::Scoped { scope, .. } => {
                client.retry(async || self.writer.bump(std::slice::from_ref(scope)).await).await
            }
            // A client may set the entry at this instant. The transaction watches the version, which a set changes, so
            // it never removes what was set.
            EntryId::Named { .. } => {
                let version = hit.entry.id.version_key();
                let fresh = Version::fresh(client.runtime()).number();
                let ttl_ms = settings.mark_ms as i64;
                let set = vec![version.as_str().into(), fresh.into(), "PX".into(), ttl_ms.into()];
                client.set_watched(&version, set, async || self.is_unchanged(hit).await).await.map(drop)
            }
        }
    }
}

/// Logs a stale entry. The values are personal data, so the log has their digests.
fn report(hit: &Hit, value: &[u8], healed: Result<(), RedisError>) {
    let Hit { entry, versions, value: cached, ttl_ms } = hit;
    tracing::error!(
        key = entry.key(*versions),
        module = &*entry.module,
        operation = entry.counted.as_deref().unwrap_or(&entry.operation),
        %versions,
        ttl_ms,
        cached = describe(cached),
        source = describe(value),
        invalidated = healed.map_or_else(|error| error.to_string(), |()| "yes".to_owned()),
        "a cached entry was stale"
    );
}

/// What can be said about a value without its content: 128 bits of its SHA-256, its size, and the version of the row if
/// the value is an object with a number `version`.
fn describe(value: &[u8]) -> String {
    if value.is_empty() {
        return "absent".to_owned();
    }
    let row = serde_json::from_slice(value).ok().and_then(|row: Value| row.get("version")?.as_i64());
    let row = row.map(|version| format!(", row version {version}")).unwrap_or_default();
    format!("{} ({} bytes{row})", digest(value), value.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_described_without_their_content() {
        let row = br#"{"id":42,"email":"ada@example.org","version":7}"#;
        let text = describe(row);
        assert!(text.ends_with("(47 bytes, row version 7)"), "{text}");
        assert!(!text.contains("ada"), "{text}");
        assert_eq!(describe(b""), "absent");
        for other in [&b"[{\"version\":7}]"[..], b"42", b"{\"version\":\"7\"}", b"\xff"] {
            assert!(describe(other).ends_with(&format!("({} bytes)", other.len())), "{other:?}");
        }
        assert_ne!(describe(b"1"), describe(b"2"));
    }
}
