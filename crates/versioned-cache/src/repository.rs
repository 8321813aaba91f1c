//! Rows of one kind, cached: read through on find and list, outdated by create and change.

use std::rc::Rc;

use ports::{Connect, Redis, Runtime};

use crate::Cache;
use crate::entry::Entry;
use crate::key::Scope;
use crate::read::ReadResult;
use crate::settings::Ttl;
use crate::write::{StatementError, Write, WriteError};

/// What the rows are called and how long they are cached.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// One of them: `user`.
    pub item: &'static str,
    /// All of them, and the module that they are counted and invalidated under: `users`.
    pub list: &'static str,
    /// How long one lives in the cache; 0 s: it is not cached. Operation `getById`.
    pub item_ttl: Ttl,
    /// How long a page of the list lives. Operation `list`.
    pub list_ttl: Ttl,
}

/// The rows of a kind, seen through a cache. What is cached is the JSON that answers, byte for byte.
pub struct Repository<R: Connect, T> {
    cache: Rc<Cache<R, T>>,
    kind: Kind,
}

impl<R: Redis + Connect + 'static, T: Runtime + 'static> Repository<R, T> {
    /// Rows of this kind.
    pub fn new(cache: Rc<Cache<R, T>>, kind: Kind) -> Self {
        Self { cache, kind }
    }

    /// One row, or that there is none.
    ///
    /// # Errors
    /// Those of `fetch`.
    pub async fn find<E>(
        &self,
        id: i64,
        fetch: impl AsyncFnOnce() -> Result<Option<Vec<u8>>, E>,
    ) -> Result<ReadResult, E> {
        self.cache.get_or_set(&self.item(id), fetch).await
    }

    /// Some rows, in the order of `ids`; `fetch` gets the positions of those that are not cached.
    ///
    /// # Errors
    /// Those of `fetch`.
    pub async fn find_many<E>(
        &self,
        ids: &[i64],
        fetch: impl AsyncFnOnce(&[usize]) -> Result<Vec<Option<Vec<u8>>>, E>,
    ) -> Result<Vec<ReadResult>, E> {
        let entries: Vec<Entry> = ids.iter().map(|id| self.item(*id).counted_as("getByIds")).collect();
        self.cache.get_or_set_many(&entries, fetch).await
    }

    /// A page of the list; `query` tells it from others (in canonical form), and is empty for the first page.
    ///
    /// # Errors
    /// Those of `fetch`.
    pub async fn list<E>(
        &self,
        query: &str,
        fetch: impl AsyncFnOnce() -> Result<Option<Vec<u8>>, E>,
    ) -> Result<ReadResult, E> {
        let page = Entry::new(&self.all(), self.kind.list_ttl).labelled(self.kind.list, "list");
        let page = if query.is_empty() { page } else { page.query(query) };
        self.cache.get_or_set(&page, fetch).await
    }

    /// Runs the statement that creates these rows. Nobody can have cached them, but anybody may have cached that they are
    /// not there.
    ///
    /// # Errors
    /// See [`Cache::write`].
    pub async fn create<V, E: StatementError>(
        &self,
        ids: &[i64],
        statement: impl AsyncFnOnce() -> Result<V, E>,
    ) -> Result<V, WriteError<E>> {
        let bump = std::iter::once(self.all()).chain(ids.iter().map(|id| self.one(*id))).collect();
        self.cache.write(Write { mark: vec![self.all()], bump }, statement).await
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
        let scopes = vec![self.one(id), self.all()];
        self.cache.write(Write { mark: scopes.clone(), bump: scopes }, statement).await
    }

    /// The entry of one row. That there is none is stored only while no create is in flight.
    fn item(&self, id: i64) -> Entry {
        Entry::new(&self.one(id), self.kind.item_ttl).labelled(self.kind.list, "getById").absent_guard(&self.all())
    }

    fn one(&self, id: i64) -> Scope {
        Scope::item(self.kind.item, id)
    }

    fn all(&self) -> Scope {
        Scope::list(self.kind.list)
    }
}
