//! Refresh-ahead: a hit shortly before the end of its entry fetches the value again, after the response. So a hot entry
//! is replaced before it ends, and nobody waits for its fetch.
//!
//! Which hit does it is a random choice (XFetch; Vattani, Chierichetti and Lowenstein, *Optimal Probabilistic Cache
//! Stampede Prevention*, 2015): one with a random number `u` between 0 and 1 for which
//! `fetch_ms * beta * -ln(u) >= ttl_ms`. The longer the last fetch took, the earlier. The instances need not agree, and
//! usually one of many hits is chosen.
//!
//! # Why it stores nothing stale
//!
//! A refresh is a fill, in the same order: the versions have been read (by the hit); it takes the lease and counts the
//! marks; it fetches the value; it stores the value under those versions. The proof in the crate docs does not use that
//! there was no entry before. It remains to show that a refresh never replaces a newer value:
//!
//! - **Scoped**: assume that the entry was filled from a row that is newer than the one of the refresh. Then a write
//!   was committed between the two reads of the row. The refresh read its row later than the versions *v*, so the write
//!   bumped *v*, either before the filler read its versions or after. If before, the filler stored under other
//!   versions, which is another key. If after, the filler had counted the marks before the write set its mark, so it
//!   read the older row: a contradiction.
//! - **Named**: it is stored in a transaction that watches the key, only in place of the value that the hit saw
//!   (`fill/store.rs`). A value that a client has set is never replaced.
//!
//! If the lease is taken, another request is fetching, and the refresh ends. After a failure of the source the instance
//! refreshes nothing for [`PAUSE_MS`].

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use ports::{Connect, Runtime};

use super::single_flight::FillRole;
use super::store::Replaced;
use super::{Filler, Outcome};
use crate::entry::{Entry, Versions};
use crate::read::{Found, Stored};
use crate::stats::Event;

/// How long an instance refreshes nothing after the source has failed.
const PAUSE_MS: u64 = 1_000;

/// Refreshes entries before they end.
pub(crate) struct Refresher<R: Connect, T> {
    filler: Rc<Filler<R, T>>,
    random: RefCell<fastrand::Rng>,
    /// Monotonic time in ms.
    paused_until_ms: Cell<u64>,
}

impl<R: Connect, T: Runtime> Refresher<R, T> {
    pub(crate) fn new(filler: &Rc<Filler<R, T>>) -> Self {
        let reader = &filler.reader;
        let seed = if reader.settings.refresh_ahead > 0.0 { reader.client.runtime().random_u64() } else { 0 };
        let random = RefCell::new(fastrand::Rng::with_seed(seed));
        Self { filler: Rc::clone(filler), random, paused_until_ms: Cell::default() }
    }

    /// Whether this hit refreshes its entry: a random choice.
    pub(crate) fn chooses(&self, found: &Found) -> bool {
        let beta = self.filler.reader.settings.refresh_ahead;
        beta > 0.0
            && found.fetched
            && found.fetch_ms.is_some_and(|fetch_ms| {
                let random = self.random.borrow_mut().f64();
                is_early(fetch_ms, beta, random, found.ttl_ms)
            })
            && self.filler.reader.client.runtime().monotonic_ms() >= self.paused_until_ms.get()
    }

    /// Refreshes the entry of a hit after the response.
    pub(crate) fn start<E: 'static>(
        self: &Rc<Self>,
        entry: &Entry,
        found: &Found,
        fetch: impl AsyncFnOnce() -> Result<Option<Vec<u8>>, E> + 'static,
    ) {
        let (refresher, entry, versions) = (Rc::clone(self), entry.clone(), found.versions);
        let replaces = Replaced::Fetched { ends_unix_ms: found.ends_unix_ms.unwrap_or_default() };
        self.filler
            .reader
            .client
            .runtime()
            .spawn(async move { refresher.refresh(&entry, versions, replaces, fetch).await });
    }

    async fn refresh<E>(
        &self,
        entry: &Entry,
        versions: Versions,
        replaces: Replaced,
        fetch: impl AsyncFnOnce() -> Result<Option<Vec<u8>>, E>,
    ) {
        let (filler, id) = (&*self.filler, entry.fill_id(versions));
        let FillRole::Leader(leader) = filler.single_flight.join(&id) else { return };
        if !filler.reader.client.admits() {
            return;
        }
        let Ok((true, permit)) = filler.reader.take_lease(entry, &id).await else { return };
        let (leader, permit) = (Some(leader), Some(permit));
        match filler.fetch(entry, versions, &id, leader, permit, fetch, replaces).await {
            Ok(Outcome { stored: Stored::Yes, .. }) => filler.reader.stats.count(entry, Event::Refreshed),
            Ok(_) => {}
            Err(_) => {
                let now_ms = filler.reader.client.runtime().monotonic_ms();
                self.paused_until_ms.set(now_ms + PAUSE_MS);
            }
        }
    }
}

/// Whether the random number (0 to 1) chooses a hit whose entry still lives for `ttl_ms`.
fn is_early(fetch_ms: u32, beta: f64, random: f64, ttl_ms: i64) -> bool {
    f64::from(fetch_ms) * beta * -random.ln() >= ttl_ms as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_near_the_end_are_chosen_more_often() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut chosen =
            |fetch_ms, beta, ttl_ms| (0..10_000).filter(|_| is_early(fetch_ms, beta, random.f64(), ttl_ms)).count();
        assert_eq!(chosen(10, 1.0, 1_000), 0);
        // The probability is exp(-ttl / (fetch * beta)).
        for (fetch_ms, beta, ttl_ms, expected) in [(10, 1.0, 10, 3_679), (10, 2.0, 10, 6_065), (20, 1.0, 10, 6_065)] {
            let chosen = chosen(fetch_ms, beta, ttl_ms);
            assert!(chosen.abs_diff(expected) < 300, "{chosen} instead of {expected}");
        }
        assert_eq!(chosen(10, 1.0, 0), 10_000);
    }
}
