//! Acquiring several resources, one after the other, once or until a time is up.

use futures_util::future::join_all;
use ports::{Connect, Redis, Runtime};

use crate::Locks;
use crate::outcome::{Acquired, Grant, LockError};
use crate::resource::Resource;
use crate::unclaimed::Unclaimed;

/// The first and the longest pause between two attempts, without jitter.
const PAUSE_MS: u64 = 8;
const MAX_PAUSE_MS: u64 = 64;

/// What an attempt came to.
pub(crate) enum Attempt<R: Redis + Connect + 'static, T: Runtime + 'static> {
    /// Every lock is held, and given back unless it is claimed.
    Granted(Vec<(Grant, Unclaimed<R, T>)>),
    /// Somebody else holds one of them; none is held.
    Taken,
}

impl<R: Redis + Connect + 'static, T: Runtime + 'static> Locks<R, T> {
    /// Tries once to lock all of `resources` (at most [`MAX_RESOURCES`](crate::MAX_RESOURCES); duplicates count once)
    /// for `ttl_ms` (in [`TTL_MS`](crate::TTL_MS)), or none. If the future is dropped before it returns, what it has
    /// locked is unlocked in the background.
    ///
    /// # Errors
    /// [`LockError::Unavailable`]: nothing is granted.
    pub async fn acquire(&self, resources: &[Resource], ttl_ms: u64) -> Result<Acquired, LockError> {
        self.acquire_within(resources, ttl_ms, 0).await
    }

    /// Tries again until the locks are granted or `wait_ms` milliseconds are over. With 0 it tries once.
    ///
    /// # Errors
    /// As [`Locks::acquire`].
    pub async fn acquire_within(
        &self,
        resources: &[Resource],
        ttl_ms: u64,
        wait_ms: u64,
    ) -> Result<Acquired, LockError> {
        match self.attempt_within(resources, ttl_ms, wait_ms).await? {
            Attempt::Granted(granted) => {
                let claim = |(grant, unclaimed): (Grant, Unclaimed<R, T>)| {
                    unclaimed.claim();
                    grant
                };
                Ok(Acquired::Granted(granted.into_iter().map(claim).collect()))
            }
            Attempt::Taken => Ok(Acquired::Taken { retry_after_ms: self.time_left(resources).await }),
        }
    }

    pub(crate) async fn attempt_within(
        &self,
        resources: &[Resource],
        ttl_ms: u64,
        wait_ms: u64,
    ) -> Result<Attempt<R, T>, LockError> {
        let mut resources = resources.to_vec();
        resources.sort();
        resources.dedup();
        let until = self.runtime.monotonic_ms() + wait_ms;
        let mut pause = PAUSE_MS;
        loop {
            let attempt = self.attempt(&resources, ttl_ms).await?;
            let left = until.saturating_sub(self.runtime.monotonic_ms());
            if left == 0 || matches!(attempt, Attempt::Granted(_)) {
                return Ok(attempt);
            }
            self.runtime.sleep(self.jittered(pause).min(left)).await;
            pause = (2 * pause).min(MAX_PAUSE_MS);
        }
    }

    /// Nobody waits for one lock while holding another: so there is no deadlock.
    async fn attempt(&self, resources: &[Resource], ttl_ms: u64) -> Result<Attempt<R, T>, LockError> {
        let mut granted = Vec::with_capacity(resources.len());
        for resource in resources {
            match self.acquire_one(resource, ttl_ms).await {
                Ok(Some(grant)) => granted.push(grant),
                not_granted => {
                    self.give_back(granted).await;
                    return not_granted.map(|_| Attempt::Taken);
                }
            }
        }
        // The first may have expired while the last was acquired.
        if granted.iter().all(|(grant, _)| self.is_valid(grant.valid_until_ms)) {
            return Ok(Attempt::Granted(granted));
        }
        self.give_back(granted).await;
        Err(LockError::Unavailable(format!("it took longer than {ttl_ms} ms to lock them all")))
    }

    /// What cannot be given back now, is so in the background.
    async fn give_back(&self, granted: Vec<(Grant, Unclaimed<R, T>)>) {
        let releases = granted.into_iter().map(async |(grant, unclaimed)| {
            if self.release(&grant.resource, &grant.token).await.is_ok() {
                unclaimed.claim();
            }
        });
        join_all(releases).await;
    }

    /// For how long the last of the locks that are in the way will be held yet, if it is not released; where that is not
    /// known, or when they have just been released, a moment.
    pub(crate) async fn time_left(&self, resources: &[Resource]) -> u64 {
        let seen = join_all(resources.iter().map(|resource| self.inspect(resource))).await;
        let longest = seen.into_iter().flatten().filter_map(|seen| seen.held?.ttl_ms).max();
        longest.unwrap_or_else(|| self.jittered(MAX_PAUSE_MS)).max(1)
    }

    /// Between half of `ms` and all of it, so that those who wait do not come back together.
    fn jittered(&self, ms: u64) -> u64 {
        ms / 2 + self.runtime.random_u64() % (ms / 2 + 1)
    }
}
