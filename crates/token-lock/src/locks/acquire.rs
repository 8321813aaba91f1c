//! Acquires several resources, one after the other, once or repeatedly.

use futures_util::future::join_all;
use ports::{Connect, Runtime};

use super::Locks;
use super::release_on_drop::ReleaseOnDrop;
use crate::outcome::{Acquired, Grant, LockError};
use crate::resource::Resource;

/// The first and the longest pause between two attempts, before jitter.
const PAUSE_MS: u64 = 8;
const MAX_PAUSE_MS: u64 = 64;

/// The result of an attempt.
pub(super) enum Attempt<R: Connect, T: Runtime> {
    /// All locks are held.
    Granted(Vec<(Grant, ReleaseOnDrop<R, T>)>),
    /// Another client holds one of them. This attempt holds none.
    Taken,
}

impl<R: Connect, T: Runtime> Locks<R, T> {
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
        Ok(match self.attempt_within(resources, ttl_ms, wait_ms).await? {
            Attempt::Granted(granted) => {
                let (grants, on_drop): (Vec<_>, Vec<_>) = granted.into_iter().unzip();
                on_drop.into_iter().for_each(ReleaseOnDrop::disarm);
                Acquired::Granted(grants)
            }
            Attempt::Taken => Acquired::Taken { retry_after_ms: self.retry_after_ms(resources).await },
        })
    }

    /// Repeats the attempt until it succeeds or `wait_ms` are over.
    pub(super) async fn attempt_within(
        &self,
        resources: &[Resource],
        ttl_ms: u64,
        wait_ms: u64,
    ) -> Result<Attempt<R, T>, LockError> {
        let mut resources = resources.to_vec();
        resources.sort();
        resources.dedup();
        let runtime = &*self.quorum.runtime;
        let until_ms = runtime.monotonic_ms() + wait_ms;
        let mut pause_ms = PAUSE_MS;
        loop {
            let attempt = self.attempt(&resources, ttl_ms).await?;
            let left_ms = until_ms.saturating_sub(runtime.monotonic_ms());
            if left_ms == 0 || matches!(attempt, Attempt::Granted(_)) {
                return Ok(attempt);
            }
            runtime.sleep(jittered(runtime, pause_ms).min(left_ms)).await;
            pause_ms = (2 * pause_ms).min(MAX_PAUSE_MS);
        }
    }

    /// There is no deadlock, because an attempt that finds a lock taken releases the others before it waits.
    async fn attempt(&self, resources: &[Resource], ttl_ms: u64) -> Result<Attempt<R, T>, LockError> {
        let mut granted = Vec::with_capacity(resources.len());
        for resource in resources {
            match self.acquire_one(resource, ttl_ms).await {
                Ok(Some(grant)) => granted.push(grant),
                not_granted => {
                    self.release_all(granted).await;
                    return not_granted.map(|_| Attempt::Taken);
                }
            }
        }
        // The first lock may have expired before the last was granted.
        if granted.iter().all(|(grant, _)| self.quorum.is_valid(grant.valid_until_ms)) {
            return Ok(Attempt::Granted(granted));
        }
        self.release_all(granted).await;
        Err(LockError::Unavailable(format!("to lock all resources took longer than the TTL of {ttl_ms} ms")))
    }

    /// Releases the locks now, or in the background if that fails.
    async fn release_all(&self, granted: Vec<(Grant, ReleaseOnDrop<R, T>)>) {
        let releases = granted.into_iter().map(async |(grant, on_drop)| {
            if self.release(&grant.resource, &grant.token).await.is_ok() {
                on_drop.disarm();
            }
        });
        join_all(releases).await;
    }

    /// The longest remaining TTL of the locks that other clients hold. If it is unknown, or if they have just been released, a
    /// short random time.
    pub(super) async fn retry_after_ms(&self, resources: &[Resource]) -> u64 {
        let inspected = join_all(resources.iter().map(|resource| self.inspect(resource))).await;
        let longest = inspected.into_iter().flatten().filter_map(|inspected| inspected.held?.ttl_ms).max();
        longest.unwrap_or_else(|| jittered(&*self.quorum.runtime, MAX_PAUSE_MS)).max(1)
    }
}

/// Between half of `ms` and `ms`, so that waiting clients do not all retry at the same time.
fn jittered(runtime: &impl Runtime, ms: u64) -> u64 {
    ms / 2 + runtime.random_u64() % (ms / 2 + 1)
}
