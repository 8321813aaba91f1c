//! Grace: what is read when the source fails or is slow.
//!
//! With [`Settings::grace_ms`](crate::Settings::grace_ms), the key of a value lives longer than the entry. A read that
//! finds an entry which has ended goes on as if it had found none. Only if its fetch then fails, or takes longer than
//! [`Settings::soft_timeout_ms`](crate::Settings::soft_timeout_ms), it looks the entry up once more and returns the
//! value that has ended.
//!
//! Such a read is never stale either. The proof in the crate docs does not use the end of an entry: it holds for every
//! entry whose versions were current at some instant after the read began. The second lookup is like any other lookup:
//! it reads the versions and the entry with one MGET. And as it comes last, a write or an invalidation that was
//! acknowledged during the fetch counts, too. The explorer shows what happens if the old value is returned without
//! looking at the versions (`Weakness::GraceIgnoresVersions`).
//!
//! Absences have no grace, and neither have values that a client has set: they live exactly as long as the client said.
//!
//! A slow fetch goes on after the response, and stores its value. Meanwhile other requests of the instance wait for its
//! result until the soft timeout and begin no fetch of their own, as long as there is an old value. So a source that
//! hangs gets about one fetch from each instance.

use std::pin::pin;
use std::rc::Rc;

use futures_util::future::{Either, select};
use ports::{Connect, Runtime};

use super::Filler;
use crate::entry::{Entry, Versions};
use crate::read::{Lookup, ReadResult};
use crate::stats::Event;

impl<R: Connect, T: Runtime> Filler<R, T> {
    /// What a read returns instead of the error of its fetch: the entry, although it has ended, or what another request
    /// has stored meanwhile.
    pub(crate) async fn in_grace(&self, entry: &Entry) -> Option<ReadResult> {
        let (result, has_ended) = self.look_up_in_grace(entry).await?;
        if has_ended {
            self.reader.stats.count(entry, Event::Graced);
        }
        Some(result)
    }

    /// As [`Self::in_grace`], with whether the entry has ended. Whoever returns it then counts it.
    pub(super) async fn look_up_in_grace(&self, entry: &Entry) -> Option<(ReadResult, bool)> {
        let grace_ms = self.reader.settings.grace_ms;
        if grace_ms == 0 {
            return None;
        }
        let looked_up = self.reader.unless_bypassed(self.reader.look_up(entry)).await;
        let Ok(Lookup::Found(found)) = looked_up else { return None };
        let has_ended = found.has_ended();
        if has_ended && found.ttl_ms.unsigned_abs() > grace_ms {
            return None;
        }
        Some((ReadResult::hit(entry.key(found.versions), found.value, Some(found.ttl_ms)), has_ended))
    }

    /// [`Filler::fill`] that takes no longer than the soft timeout if there is an entry that has ended. The fetch then
    /// goes on after the response.
    pub(crate) async fn fill_within_soft_timeout<E: 'static>(
        self: &Rc<Self>,
        entry: &Entry,
        versions: Versions,
        deadline_ms: u64,
        fetch: impl AsyncFnOnce() -> Result<Option<Vec<u8>>, E> + 'static,
    ) -> Result<ReadResult, E> {
        let (runtime, soft_ms) = (self.reader.client.runtime(), self.reader.settings.soft_timeout_ms);
        if let Some(leader) = self.single_flight.follow(&entry.fill_id(versions)) {
            let until_ms = deadline_ms.min(runtime.monotonic_ms() + soft_ms);
            match self.follow(&leader, until_ms).await {
                Some(value) => return Ok(self.collapsed(entry, versions, value)),
                None => {
                    if let Some(graced) = self.in_grace(entry).await {
                        return Ok(graced);
                    }
                }
            }
        }
        let (filler, filled) = (Rc::clone(self), entry.clone());
        let fill = Box::pin(async move { filler.fill(&filled, versions, deadline_ms, fetch).await });
        match select(fill, pin!(runtime.sleep(soft_ms))).await {
            Either::Left((result, _)) => result,
            Either::Right(((), fill)) => match self.in_grace(entry).await {
                Some(graced) => {
                    runtime.spawn(async move { drop(fill.await) });
                    Ok(graced)
                }
                None => fill.await,
            },
        }
    }
}
