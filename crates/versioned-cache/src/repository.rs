//! Rows of one kind through a cache: find reads through it, create and change write through it. For the list of the
//! rows see [`Pages`](crate::Pages).

use std::rc::Rc;

use ports::{Connect, Runtime};

use crate::cache::Cache;
use crate::entry::Entry;
use crate::key::Scope;
use crate::read::ReadResult;
use crate::settings::Ttl;
use crate::write::{StatementError, Write, WriteError};

/// The names of a kind of rows, and how long they are cached.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// One row: `user`.
    pub item: &'static str,
    /// The list of them, and the module that they are counted and invalidated with: `users`.
    pub list: &'static str,
    /// How long one row lives in the cache. Operation `getById`.
    pub item_ttl: Ttl,
    /// How long a page of the list lives in the cache. Operation `list`.
    pub list_ttl: Ttl,
}

/// The rows of a kind. What is cached is the JSON of the response, byte for byte. Some of the hits are compared with
/// the table: see [`Cache::get_or_set_verified`].
pub struct Repository<R: Connect, T> {
    cache: Rc<Cache<R, T>>,
    kind: Kind,
}

impl<R: Connect, T: Runtime> Repository<R, T> {
    /// The rows of this kind, through this cache.
    pub fn new(cache: Rc<Cache<R, T>>, kind: Kind) -> Self {
        Self { cache, kind }
    }

    /// One row; the value is `None` if it does not exist.
    ///
    /// # Errors
    /// Those of `fetch`.
    pub async fn find<E: 'static>(
        &self,
        id: i64,
        fetch: impl AsyncFnOnce() -> Result<Option<Vec<u8>>, E> + 'static,
    ) -> Result<ReadResult, E> {
        self.cache.get_or_set_verified(&self.item(id), fetch).await
    }

    /// Several rows, in the order of `ids`. `fetch` gets the positions of those that are not cached.
    ///
    /// # Errors
    /// Those of `fetch`.
    pub async fn find_many<E: 'static>(
        &self,
        ids: &[i64],
        fetch: impl AsyncFnOnce(&[usize]) -> Result<Vec<Option<Vec<u8>>>, E> + 'static,
    ) -> Result<Vec<ReadResult>, E> {
        let entries: Vec<Entry> = ids.iter().map(|id| self.item(*id).counted_as("getByIds")).collect();
        self.cache.get_or_set_many_verified(&entries, fetch).await
    }

    /// Runs the statement that creates these rows. Their absence may be cached, so their versions are bumped, too.
    ///
    /// # Errors
    /// See [`Cache::write`].
    pub async fn create<V, E: StatementError>(
        &self,
        ids: &[i64],
        statement: impl AsyncFnOnce() -> Result<V, E>,
    ) -> Result<V, WriteError<E>> {
        let bump = std::iter::once(self.rows()).chain(ids.iter().map(|id| self.row(*id))).collect();
        self.cache.write(Write { mark: vec![self.rows()], bump }, statement).await
    }

    /// Runs the statement that updates or deletes a row.
    ///
    /// # Errors
    /// See [`Cache::write`].
    pub async fn change<V, E: StatementError>(
        &self,
        id: i64,
        statement: impl AsyncFnOnce() -> Result<V, E>,
    ) -> Result<V, WriteError<E>> {
        let scopes = vec![self.row(id), self.rows()];
        self.cache.write(Write { mark: scopes.clone(), bump: scopes }, statement).await
    }

    /// The entry of one row. Its absence is stored only while no create is in flight.
    fn item(&self, id: i64) -> Entry {
        Entry::new(&self.row(id), self.kind.item_ttl).labelled(self.kind.list, "getById").absent_guard(&self.rows())
    }

    fn row(&self, id: i64) -> Scope {
        Scope::item(self.kind.item, id)
    }

    fn rows(&self) -> Scope {
        Scope::list(self.kind.list)
    }
}
