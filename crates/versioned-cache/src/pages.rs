//! The pages of a list through a cache.

use std::rc::Rc;

use ports::{Connect, Runtime};

use crate::cache::Cache;
use crate::entry::Entry;
use crate::key::Scope;
use crate::read::{Bypass, ReadResult, ReadRole, SharedReads, Source, Stored};
use crate::repository::Kind;
use crate::stats::Event;

/// The pages of the list of a kind of rows. `E` is the error of the source.
///
/// Pages may be large. So give them a cache with a connection and a timeout of their own
/// ([`Settings::timeout_ms`](crate::Settings)). The requests of this instance that read one page at the same time share
/// one read of it (`read/shared.rs`). They wait for up to
/// [`Settings::fill_wait_ms`](crate::Settings::fill_wait_ms).
pub struct Pages<R: Connect, T, E> {
    cache: Rc<Cache<R, T>>,
    kind: Kind,
    reads: SharedReads<Result<ReadResult, E>>,
}

impl<R: Connect, T: Runtime, E: Clone + 'static> Pages<R, T, E> {
    /// The list of this kind, through this cache.
    pub fn new(cache: Rc<Cache<R, T>>, kind: Kind) -> Self {
        Self { cache, kind, reads: SharedReads::default() }
    }

    /// A page of the list. `query` is its query in canonical form, and empty for the first page without filters. Some
    /// of the hits are compared with the table: see [`Cache::get_or_set_verified`].
    ///
    /// # Errors
    /// Those of `fetch`, which may have been called by another request.
    pub async fn page(
        &self,
        query: &str,
        fetch: impl AsyncFnOnce() -> Result<Option<Vec<u8>>, E> + 'static,
    ) -> Result<ReadResult, E> {
        let rows = Entry::new(&Scope::list(self.kind.list), self.kind.list_ttl).labelled(self.kind.list, "list");
        let page = if query.is_empty() { rows } else { rows.query(query) };
        let (runtime, wait_ms) = (self.cache.runtime(), self.cache.settings().fill_wait_ms);
        let read = async || self.cache.get_or_set_verified(&page, fetch).await;
        let (result, role) = self.reads.read(runtime, query, wait_ms, read).await;
        match role {
            ReadRole::Reader => result,
            ReadRole::Follower => result.map(|result| self.shared(&page, result)),
        }
    }

    /// Counts a read whose result is that of another request.
    fn shared(&self, page: &Entry, mut result: ReadResult) -> ReadResult {
        let count = |event| self.cache.count(page, event);
        match result.status.source {
            Source::Hit => count(Event::Hit),
            Source::Bypass(Bypass::Disabled) => {}
            Source::Bypass(_) => count(Event::Bypass),
            Source::Miss(_) => {
                count(Event::Miss);
                count(Event::Collapsed);
                (result.status.source, result.status.ttl_s) = (Source::Miss(Stored::Collapsed), None);
            }
        }
        result
    }
}
