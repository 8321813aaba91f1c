//! Runs work under locks and extends them until it ends.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use futures_util::future::{Either, join_all, select};
use ports::{Connect, Runtime};

use super::Locks;
use super::acquire::Attempt;
use super::release_on_drop::ReleaseOnDrop;
use crate::outcome::{Extended, Grant, LockError, Released};
use crate::resource::Resource;

/// How often the locks are extended during one TTL, and how often after a failed extension.
const EXTENSIONS_PER_TTL: u64 = 3;
const RETRIES_PER_TTL: u64 = 10;

/// The result of work under a guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guarded<V> {
    /// The work returned.
    Done {
        /// What it returned.
        value: V,
        /// Whether a lock was lost before the work ended, or may have been.
        lost: bool,
    },
    /// Another client holds one of the locks. The work did not start.
    Taken {
        /// See [`Acquired::Taken`](crate::Acquired::Taken).
        retry_after_ms: u64,
    },
}

/// Lets work under a guard see the state of its locks. Clones share the same state.
pub struct Lease<T>(Rc<State<T>>);

struct State<T> {
    runtime: Rc<T>,
    grants: Vec<Grant>,
    valid_until_ms: Cell<u64>,
    lost: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl<T> Clone for Lease<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T: Runtime> Lease<T> {
    /// The fencing number of `resource`; `None` if the guard did not lock it.
    pub fn fencing(&self, resource: &Resource) -> Option<u64> {
        self.0.grants.iter().find(|grant| grant.resource == *resource).map(|grant| grant.fencing)
    }

    /// Whether a lock is lost: another client holds it, or may hold it. Work that computes for a long time without
    /// awaiting should check this regularly.
    pub fn is_lost(&self) -> bool {
        self.0.lost.get() || self.0.runtime.exact_monotonic_ms() >= self.0.valid_until_ms.get()
    }

    /// Waits until a lock is lost.
    pub fn lost(&self) -> impl Future<Output = ()> {
        poll_fn(|context| {
            if self.is_lost() {
                return Poll::Ready(());
            }
            let mut waiting = self.0.waiting.borrow_mut();
            if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                waiting.push(context.waker().clone());
            }
            Poll::Pending
        })
    }

    fn lose(&self) {
        self.0.lost.set(true);
        self.0.waiting.take().into_iter().for_each(Waker::wake);
    }
}

impl<R: Connect, T: Runtime> Locks<R, T> {
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
        let (grants, on_drop): (Vec<_>, Vec<_>) = match self.attempt_within(resources, ttl_ms, wait_ms).await? {
            Attempt::Granted(granted) => granted.into_iter().unzip(),
            Attempt::Taken => return Ok(Guarded::Taken { retry_after_ms: self.retry_after_ms(resources).await }),
        };
        let valid_until_ms = grants.iter().map(|grant| grant.valid_until_ms).min().unwrap_or(u64::MAX);
        let lease = Lease(Rc::new(State {
            runtime: Rc::clone(&self.quorum.runtime),
            grants,
            valid_until_ms: Cell::new(valid_until_ms),
            lost: Cell::new(false),
            waiting: RefCell::default(),
        }));
        let working = pin!(work(lease.clone()));
        let value = match select(working, pin!(self.extend_until_lost(&lease, ttl_ms))).await {
            Either::Left((value, _)) => value,
            Either::Right((never, _)) => match never {},
        };
        let in_time = !lease.is_lost();
        let releases = lease.0.grants.iter().map(|grant| self.release(&grant.resource, &grant.token));
        // A release without a reply proves nothing: then only the time counts.
        let kept = |released| matches!(released, Ok(Released::Removed) | Err(_));
        let kept = join_all(releases).await.into_iter().all(kept);
        on_drop.into_iter().for_each(ReleaseOnDrop::disarm);
        Ok(Guarded::Done { value, lost: !(in_time && kept) })
    }

    /// Extends the locks periodically. When one is lost, notifies the work and never returns.
    async fn extend_until_lost(&self, lease: &Lease<T>, ttl_ms: u64) -> Infallible {
        let (state, runtime) = (&lease.0, &self.quorum.runtime);
        let left_ms = || state.valid_until_ms.get().saturating_sub(runtime.monotonic_ms());
        let mut pause_ms = ttl_ms / EXTENSIONS_PER_TTL;
        while !lease.is_lost() {
            runtime.sleep(pause_ms.clamp(1, left_ms().max(1))).await;
            let valid_until_ms = self.quorum.validity(ttl_ms).until_ms;
            let extending =
                join_all(state.grants.iter().map(|grant| self.extend(&grant.resource, &grant.token, ttl_ms)));
            // After its end a lock is lost, even if a late reply says that it was extended.
            let Either::Left((extended, _)) = select(extending, pin!(runtime.sleep(left_ms()))).await else { break };
            if extended.iter().any(|outcome| matches!(outcome, Ok(Extended::Expired | Extended::HeldByAnother))) {
                break;
            }
            let all_extended = extended.iter().all(Result::is_ok);
            if all_extended {
                state.valid_until_ms.set(valid_until_ms);
            }
            pause_ms = ttl_ms / if all_extended { EXTENSIONS_PER_TTL } else { RETRIES_PER_TTL };
        }
        lease.lose();
        pending().await
    }
}
