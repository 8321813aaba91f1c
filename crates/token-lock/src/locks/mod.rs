//! [`Locks`]: every operation, with one module for each.

mod acquire;
mod acquire_one;
mod compare;
mod extend;
mod guard;
mod inspect;
mod list;
mod release;
mod release_on_drop;

use std::rc::Rc;

pub use guard::{Guarded, Lease};
use ports::{Connect, Runtime};

use crate::outcome::{Acquired, Extended, Inspected, LockError, Page, Released};
use crate::quorum::Quorum;
use crate::resource::Resource;
use crate::settings::Settings;
use crate::token::Token;

/// The locks on one server, or on the majority of several independent ones. Create it once per instance: all requests
/// share it.
pub struct Locks<R: Connect, T> {
    quorum: Quorum<R, T>,
}

impl<R: Connect, T: Runtime> Locks<R, T> {
    /// Locks on `servers`: one, or an odd number of independent ones that are not replicas of each other.
    pub fn new(servers: Vec<R>, runtime: T, settings: Settings) -> Rc<Self> {
        Rc::new(Self { quorum: Quorum::new(servers, runtime, settings) })
    }

    /// Tries once to lock all of `resources`, or none of them. Duplicates count once. At most
    /// [`MAX_RESOURCES`](crate::MAX_RESOURCES). `ttl_ms` must be in [`TTL_MS`](crate::TTL_MS). If the future is dropped
    /// before it returns, its locks are released in the background.
    ///
    /// # Errors
    /// [`LockError::Unavailable`]: nothing is granted.
    pub async fn acquire(&self, resources: &[Resource], ttl_ms: u64) -> Result<Acquired, LockError> {
        self.acquire_within(resources, ttl_ms, 0).await
    }

    /// [`Locks::acquire`], repeated until the locks are granted or `wait_ms` milliseconds are over.
    ///
    /// # Errors
    /// As [`Locks::acquire`].
    pub async fn acquire_within(
        &self,
        resources: &[Resource],
        ttl_ms: u64,
        wait_ms: u64,
    ) -> Result<Acquired, LockError> {
        acquire::acquire(&self.quorum, resources, ttl_ms, wait_ms).await
    }

    /// Releases the lock on `resource` if `token` holds it.
    ///
    /// # Errors
    /// [`LockError::Unavailable`]: the lock may still be held, until it expires.
    pub async fn release(&self, resource: &Resource, token: &Token) -> Result<Released, LockError> {
        release::release(&self.quorum, resource, token).await
    }

    /// Sets the TTL of the lock on `resource` to `ttl_ms` from now if `token` holds it. The lock may end later or earlier
    /// than before. `ttl_ms` must be in [`TTL_MS`](crate::TTL_MS).
    ///
    /// # Errors
    /// [`LockError::Unavailable`]: the lock ends either at the old time or at the new one.
    pub async fn extend(&self, resource: &Resource, token: &Token, ttl_ms: u64) -> Result<Extended, LockError> {
        extend::extend(&self.quorum, resource, token, ttl_ms).await
    }

    /// Whether `resource` is locked, and for how long.
    ///
    /// # Errors
    /// [`LockError::Unavailable`].
    pub async fn inspect(&self, resource: &Resource) -> Result<Inspected, LockError> {
        inspect::inspect(&self.quorum, resource).await
    }

    /// A page of all locks. `cursor` is `None` for the first page, then [`Page::next`] of the page before.
    ///
    /// # Errors
    /// [`LockError::Unavailable`], [`LockError::InvalidCursor`].
    pub async fn list(&self, cursor: Option<&str>) -> Result<Page, LockError> {
        list::list(&self.quorum, cursor).await
    }

    /// Releases the lock on `resource` without its token, for operators. Returns whether it was held. The holder is not
    /// notified. Its fencing number is outdated as soon as the resource is granted again.
    ///
    /// # Errors
    /// [`LockError::Unavailable`]: the lock may still be held.
    pub async fn break_lock(&self, resource: &Resource) -> Result<bool, LockError> {
        release::break_lock(&self.quorum, resource).await
    }

    /// Runs `work` under locks: acquires `resources` as [`Locks::acquire_within`] does, extends the locks after each
    /// third of their TTL, and releases them when `work` returns. [`Lease`] tells `work` when a lock is lost; `work`
    /// itself must stop then. If the future is dropped, the locks are released in the background.
    ///
    /// # Errors
    /// As [`Locks::acquire`]: `work` did not start.
    pub async fn guard<V>(
        &self,
        resources: &[Resource],
        ttl_ms: u64,
        wait_ms: u64,
        work: impl AsyncFnOnce(Lease<T>) -> V,
    ) -> Result<Guarded<V>, LockError> {
        guard::guard(&self.quorum, resources, ttl_ms, wait_ms, work).await
    }
}
