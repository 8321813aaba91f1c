//! Sellers through the cache.
//!
//! | operation | depends on | content |
//! |---|---|---|
//! | `getById` | `seller:version:{id}`, `user:version:{userId}` | the JSON of a seller: one entry for everybody, one for the owner and administrators |
//! | `analytics` | the same | the JSON of one of the analytics |
//! | `getOwner` | `seller:version:{id}` | the id of the seller's user |
//! | `getByUserId` | `seller-of-user:version:{userId}`, `user:version:{userId}` | the id of the user's seller |
//!
//! The user of a seller never changes, so an instance keeps the owners that it has seen. It must know the owner before
//! it reads a seller: the owner decides which form a client gets, and the entries depend on the user, so that
//! `DELETE /admin/cache/user/:id` makes them outdated.
//!
//! A read by user id takes two steps, and both are current: the first finds the id, the second reads the seller. If the
//! seller is archived in between, the second step finds none.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use spin_adapter::postgres::DatabaseError;
use spin_adapter::{SpinRedis, SpinRuntime};
use versioned_cache::{Cache, CacheStatus, Entry, ReadResult, Scope, Ttl, Write, WriteError};

use crate::fields::ColumnValues;
use crate::seller::{Seller, View};
use crate::store::{Store, StoreError};

/// The module that entries are counted, listed and invalidated with.
const MODULE: &str = "sellers";
/// How many owners an instance keeps. Beyond it, it forgets all.
const OWNERS_MAX: usize = 16_384;

/// The sellers of one instance.
pub struct Sellers {
    cache: Rc<Cache<SpinRedis, SpinRuntime>>,
    ttl: Ttl,
    /// The tables. Shared with checks of hits, which run after the response.
    pub store: Rc<Store>,
    /// The users of sellers.
    owners: RefCell<HashMap<i64, i64>>,
}

/// The result of looking for an id.
pub enum FoundId {
    /// It exists.
    Found(i64),
    /// It does not exist; how that was found out.
    Absent(CacheStatus),
}

impl Sellers {
    /// The sellers in `store`, through `cache`, for `ttl`.
    pub fn new(cache: Rc<Cache<SpinRedis, SpinRuntime>>, ttl: Ttl, store: Store) -> Self {
        Self { cache, ttl, store: Rc::new(store), owners: RefCell::default() }
    }

    /// The id of a seller's user. If this instance has seen the seller, it comes from memory, also after the seller was
    /// archived: then the next read or statement finds no seller.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn owner(&self, id: i64) -> Result<FoundId, DatabaseError> {
        let known = self.owners.borrow().get(&id).copied();
        if let Some(owner) = known {
            return Ok(FoundId::Found(owner));
        }
        let entry = Entry::new(&seller(id), self.ttl).query("owner").labelled(MODULE, "getOwner");
        let store = Rc::clone(&self.store);
        let found = self.find_id(&entry, async move || store.owner(id).await).await?;
        if let FoundId::Found(owner) = found {
            self.remember(id, owner);
        }
        Ok(found)
    }

    /// The seller of a user.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn of_user(&self, user: i64) -> Result<FoundId, DatabaseError> {
        let entry = Entry::new(&seller_of(user), self.ttl).labelled(MODULE, "getByUserId").of_user(user);
        let store = Rc::clone(&self.store);
        let found = self.find_id(&entry, async move || store.seller_of(user).await).await?;
        if let FoundId::Found(id) = found {
            self.remember(id, user);
        }
        Ok(found)
    }

    async fn find_id(
        &self,
        entry: &Entry,
        fetch: impl AsyncFnOnce() -> Result<Option<i64>, DatabaseError> + 'static,
    ) -> Result<FoundId, DatabaseError> {
        let fetch = async move || Ok(fetch().await?.map(|id| id.to_string().into_bytes()));
        let ReadResult { value, status } = self.cache.get_or_set_verified(entry, fetch).await?;
        let id = value.and_then(|digits| std::str::from_utf8(&digits).ok()?.parse().ok());
        Ok(id.map_or(FoundId::Absent(status), FoundId::Found))
    }

    fn remember(&self, id: i64, owner: i64) {
        let mut owners = self.owners.borrow_mut();
        if owners.len() >= OWNERS_MAX {
            owners.clear();
        }
        owners.insert(id, owner);
    }

    /// The JSON of the seller `id` of the user `owner`.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn find(&self, id: i64, owner: i64, view: View) -> Result<ReadResult, DatabaseError> {
        let entry = Entry::new(&seller(id), self.ttl).labelled(MODULE, "getById").of_user(owner);
        let entry = if view == View::Private { entry.query("private") } else { entry };
        let store = Rc::clone(&self.store);
        let fetch = async move || Ok(store.find(id).await?.map(|seller| seller.to_json(view)));
        self.cache.get_or_set_verified(&entry, fetch).await
    }

    /// The JSON of one of the analytics of the seller `id` of the user `owner`: from the cache, or from `fetch`
    /// (`None`: there is no such seller). `name` says which analytics and with which parameters. Hits are not compared
    /// with the database: some members depend on the time of the fetch.
    ///
    /// # Errors
    /// Those of `fetch`.
    pub async fn analytics(
        &self,
        id: i64,
        owner: i64,
        name: &str,
        fetch: impl AsyncFnOnce() -> Result<Option<Vec<u8>>, DatabaseError>,
    ) -> Result<ReadResult, DatabaseError> {
        let entry = Entry::new(&seller(id), self.ttl).query(name).labelled(MODULE, "analytics").of_user(owner);
        self.cache.get_or_set(&entry, fetch).await
    }

    /// Registers the seller of a user.
    ///
    /// # Errors
    /// No id could be drawn, or those of [`Store::insert`].
    pub async fn create(&self, user: i64, new: &ColumnValues) -> Result<Seller, WriteError<StoreError>> {
        // The cache must know before the INSERT which seller it creates: its absence may be cached.
        let id = self.store.draw_id().await.map_err(|error| WriteError::Statement(error.into()))?;
        let created = self.write_both(id, user, async || self.store.insert(id, user, new).await).await?;
        self.remember(id, user);
        Ok(created)
    }

    /// Runs a statement that changes a seller, its sales, or its reviews.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn change<V, E: versioned_cache::StatementError>(
        &self,
        id: i64,
        statement: impl AsyncFnOnce() -> Result<V, E>,
    ) -> Result<V, WriteError<E>> {
        self.cache.write(Write { mark: vec![seller(id)], bump: vec![seller(id)] }, statement).await
    }

    /// Runs the statement that archives the seller of a user.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn archive(
        &self,
        id: i64,
        user: i64,
        statement: impl AsyncFnOnce() -> Result<Seller, StoreError>,
    ) -> Result<Seller, WriteError<StoreError>> {
        self.write_both(id, user, statement).await
    }

    /// Runs a statement that changes a seller, and which seller the user has.
    async fn write_both(
        &self,
        id: i64,
        user: i64,
        statement: impl AsyncFnOnce() -> Result<Seller, StoreError>,
    ) -> Result<Seller, WriteError<StoreError>> {
        let scopes = vec![seller(id), seller_of(user)];
        self.cache.write(Write { mark: scopes.clone(), bump: scopes }, statement).await
    }
}

/// What changes with each write of a seller.
fn seller(id: i64) -> Scope {
    Scope::item("seller", id)
}

/// Which seller a user has.
fn seller_of(user: i64) -> Scope {
    Scope::item("seller-of-user", user)
}
