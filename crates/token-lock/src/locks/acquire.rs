//! Acquires several resources, one after the other, once or repeatedly. Each is acquired on the majority of the
//! servers.

use std::rc::Rc;

use futures_util::future::join_all;
use ports::{Connect, RedisError, Reply, Runtime};

use super::Locks;
use super::late_servers::await_late_servers;
use super::release_on_drop::ReleaseOnDrop;
use super::waiting::Place;
use crate::outcome::{Acquired, Grant, LockError};
use crate::quorum::{Replies, Server};
use crate::resource::Resource;
use crate::token::Token;

/// The first and the longest pause between two attempts, before jitter.
const PAUSE_MS: u64 = 8;
const MAX_PAUSE_MS: u64 = 64;

/// How often the second in a line looks whether it is the first.
const LOOK_MS: u64 = 4;

/// The reply of one server: the fencing number if it granted the lock, `None` if another client holds it.
type Fencing = Option<u64>;

/// A lock that is held, and what releases it if its client does not receive it.
type Granted<R, T> = (Grant, ReleaseOnDrop<R, T>);

/// The result of an attempt.
pub(super) enum Attempt<R: Connect, T: Runtime> {
    /// All locks are held.
    Granted(Vec<Granted<R, T>>),
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

    /// [`Locks::acquire`], repeated until the locks are granted or `wait_ms` milliseconds are over. Of the requests of
    /// this instance that wait for one resource, only the one that waits longest repeats it.
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
        let left_ms = || until_ms.saturating_sub(runtime.monotonic_ms());
        // A request that waits does not overtake those of this instance that have waited longer.
        let waited_for = resources.iter().find(|resource| wait_ms > 0 && self.lines.has(resource));
        let mut place = waited_for.map(|resource| self.lines.join(resource));
        let mut pause_ms = PAUSE_MS;
        loop {
            if let Some(place) = &place {
                self.wait_for_turn(place, left_ms).await;
            }
            let (attempt, taken) = match self.attempt(&resources, ttl_ms).await? {
                Ok(granted) => (Attempt::Granted(granted), None),
                Err(taken) => (Attempt::Taken, Some(taken)),
            };
            let Some(taken) = taken.filter(|_| left_ms() > 0) else { return Ok(attempt) };
            if place.as_ref().is_none_or(|place| place.resource() != &taken) {
                place = Some(self.lines.join(&taken));
                pause_ms = PAUSE_MS;
            }
            if place.as_ref().is_some_and(|place| place.ahead() == 0) {
                runtime.sleep(jittered(runtime, pause_ms).min(left_ms())).await;
                pause_ms = (2 * pause_ms).min(MAX_PAUSE_MS);
            }
        }
    }

    /// Waits until the request is the first in its line, or no time is left. Requests of one instance are separate
    /// tasks, which cannot wake one another. So each looks at the line more often the nearer it is to the front.
    async fn wait_for_turn(&self, place: &Place<'_>, left_ms: impl Fn() -> u64) {
        loop {
            let (ahead, left_ms) = (place.ahead() as u64, left_ms());
            if ahead == 0 || left_ms == 0 {
                return;
            }
            self.quorum.runtime.sleep((LOOK_MS * ahead).min(MAX_PAUSE_MS).min(left_ms)).await;
        }
    }

    /// There is no deadlock, because an attempt that finds a lock taken releases the others before it waits.
    /// `Err` in `Ok`: the resource that another client holds.
    async fn attempt(
        &self,
        resources: &[Resource],
        ttl_ms: u64,
    ) -> Result<Result<Vec<Granted<R, T>>, Resource>, LockError> {
        let mut granted = Vec::with_capacity(resources.len());
        for resource in resources {
            match self.acquire_one(resource, ttl_ms).await {
                Ok(Some(grant)) => granted.push(grant),
                not_granted => {
                    self.release_all(granted).await;
                    return not_granted.map(|_| Err(resource.clone()));
                }
            }
        }
        // The first lock may have expired before the last was granted.
        if granted.iter().all(|(grant, _)| self.quorum.is_valid(grant.valid_until_ms)) {
            return Ok(Ok(granted));
        }
        self.release_all(granted).await;
        Err(LockError::Unavailable(format!("locking all resources took longer than the TTL of {ttl_ms} ms")))
    }

    /// Releases the locks now, or in the background if that fails.
    async fn release_all(&self, granted: Vec<Granted<R, T>>) {
        let releases = granted.into_iter().map(async |(grant, on_drop)| {
            if self.release(&grant.resource, &grant.token).await.is_ok() {
                on_drop.disarm();
            }
        });
        join_all(releases).await;
    }

    /// `None`: another client holds the lock.
    pub(super) async fn acquire_one(
        &self,
        resource: &Resource,
        ttl_ms: u64,
    ) -> Result<Option<Granted<R, T>>, LockError> {
        let quorum = &self.quorum;
        let token = Token::random(&*quorum.runtime);
        let validity = quorum.validity(ttl_ms);
        let on_drop = ReleaseOnDrop::new(quorum, resource, &token);
        let question = |server: Rc<Server<R, T>>| {
            let (resource, token) = (resource.clone(), token.clone());
            async move { server.run(server.grant(&resource, &token, ttl_ms)).await }
        };
        let decided =
            |replies: &Replies<Fencing>| replies.is_majority(Option::is_some) || replies.is_majority(Option::is_none);
        let replies = quorum.ask(question, decided).await;
        let is_granted = replies.is_majority(Option::is_some);
        let fencing = if is_granted { self.agree_on_fencing(&replies, resource).await } else { None };
        if let Some(fencing) = fencing
            && quorum.is_valid(validity.until_ms)
        {
            await_late_servers(quorum, replies, resource, &token);
            let grant = Grant {
                resource: resource.clone(),
                token,
                fencing,
                ttl_ms,
                expires_at_ms: validity.expires_at_ms,
                valid_until_ms: validity.until_ms,
            };
            return Ok(Some((grant, on_drop)));
        }
        let outcome = if is_granted {
            Err(LockError::Unavailable(format!(
                "the majority took longer than the TTL of {ttl_ms} ms, or did not agree"
            )))
        } else if replies.is_quorum() {
            Ok(None)
        } else {
            Err(replies.error())
        };
        self.withdraw(&replies, on_drop, resource, &token).await;
        outcome
    }

    /// The greatest number of the majority. First raises the counters of the majority to it. Every later majority
    /// shares a server with this one, so the next grant gets a greater number.
    async fn agree_on_fencing(&self, replies: &Replies<Fencing>, resource: &Resource) -> Option<u64> {
        let drawn: Vec<(usize, u64)> = replies.successful().filter_map(|(at, number)| Some((at, (*number)?))).collect();
        let greatest = drawn.iter().map(|(_, number)| *number).max()?;
        let raises = drawn.into_iter().map(async |(at, number)| {
            let server = &self.quorum.servers[at];
            server.client.within_timeout(server.raise_fencing(resource, number, greatest)).await
        });
        let raised = join_all(raises).await.into_iter().filter(|raised| *raised == Ok(true)).count();
        (raised >= replies.majority()).then_some(greatest)
    }

    /// Removes what a failed attempt has locked: now on the servers that replied, in the background on the others.
    async fn withdraw(
        &self,
        replies: &Replies<Fencing>,
        mut on_drop: ReleaseOnDrop<R, T>,
        resource: &Resource,
        token: &Token,
    ) {
        let removals = replies.successful().map(async |(at, fencing)| {
            let server = &self.quorum.servers[at];
            let is_gone =
                fencing.is_none() || server.client.within_timeout(server.delete_if(resource, token)).await.is_ok();
            is_gone.then_some(server)
        });
        for server in join_all(removals).await.into_iter().flatten() {
            on_drop.disarm_on(server);
        }
    }

    /// The longest remaining TTL of the locks that other clients hold. A short random time if it is unknown, or if the
    /// locks have just been released.
    pub(super) async fn retry_after_ms(&self, resources: &[Resource]) -> u64 {
        let inspected = join_all(resources.iter().map(|resource| self.inspect(resource))).await;
        let longest = inspected.into_iter().flatten().filter_map(|inspected| inspected.held?.ttl_ms).max();
        longest.unwrap_or_else(|| jittered(&*self.quorum.runtime, MAX_PAUSE_MS)).max(1)
    }
}

impl<R: Connect, T: Runtime> Server<R, T> {
    /// Takes the lock on one server, then gets its fencing number.
    async fn grant(&self, resource: &Resource, token: &Token, ttl_ms: u64) -> Result<Fencing, RedisError> {
        if !self.take(&resource.key(), token, ttl_ms).await? {
            return Ok(None);
        }
        self.next_fencing(resource).await.map(Some)
    }

    async fn take(&self, key: &str, token: &Token, ttl_ms: u64) -> Result<bool, RedisError> {
        let set = || {
            let ttl = (ttl_ms as i64).into();
            self.client.send_one("SET", vec![key.into(), token.as_str().into(), "NX".into(), "PX".into(), ttl])
        };
        // The client does not repeat SET by itself. Here it is safe, because the token tells whose lock it is.
        let (reply, is_repeated) = match set().await {
            Err(RedisError::Unreachable(_)) => (set().await?, true),
            outcome => (outcome?, false),
        };
        match reply {
            // Perhaps the first SET took effect and its reply was lost.
            Reply::Nil if is_repeated => Ok(self.value_of(key).await?.is(token.as_str())),
            Reply::Nil => Ok(false),
            _ => Ok(true),
        }
    }
}

/// Between half of `ms` and `ms`, so that waiting clients do not all retry at the same time.
fn jittered(runtime: &impl Runtime, ms: u64) -> u64 {
    ms / 2 + runtime.random_u64() % (ms / 2 + 1)
}
