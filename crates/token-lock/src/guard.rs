//! Work under locks that renew themselves.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use futures_util::future::{Either, join_all, select};
use ports::{Connect, Redis, Runtime};

use crate::Locks;
use crate::acquire::Attempt;
use crate::outcome::{Extended, Grant, LockError, Released};
use crate::resource::Resource;
use crate::unclaimed::Unclaimed;

/// The locks are renewed after this part of their TTL; after an attempt that failed, sooner.
const RENEWAL: u64 = 3;
const NEXT_ATTEMPT: u64 = 10;

/// What became of work under a guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guarded<V> {
    /// The work was done.
    Done {
        /// What it returned.
        value: V,
        /// Whether the locks were lost before it ended, or may have been.
        lost: bool,
    },
    /// Somebody else holds one of the locks: the work was not begun.
    Taken {
        /// As [`Acquired::Taken`](crate::Acquired::Taken) tells.
        retry_after_ms: u64,
    },
}

/// What work under a guard knows of its locks. Copies are of the same lease.
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
    /// The fencing number of `resource`; `None` if it is not one of those that were locked.
    pub fn fencing(&self, resource: &Resource) -> Option<u64> {
        self.0.grants.iter().find(|grant| grant.resource == *resource).map(|grant| grant.fencing)
    }

    /// Whether the locks are lost: somebody else has one of them, or may have. Work that does not await anything for
    /// long should ask now and then.
    pub fn is_lost(&self) -> bool {
        self.0.lost.get() || self.0.runtime.monotonic_ms() >= self.0.valid_until_ms.get()
    }

    /// Waits until the locks are lost.
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

impl<R: Redis + Connect + 'static, T: Runtime + 'static> Locks<R, T> {
    /// Locks `resources` as [`Locks::acquire_within`] does, runs `work` while renewing the locks at a third of their
    /// TTL, and unlocks them. Work is told through its [`Lease`] when the locks are lost; what it does then is its own
    /// affair. If the future is dropped halfway, the locks are unlocked in the background.
    ///
    /// # Errors
    /// As [`Locks::acquire`]; then the work was not begun.
    pub async fn guard<V>(
        &self,
        resources: &[Resource],
        ttl_ms: u64,
        wait_ms: u64,
        work: impl AsyncFnOnce(Lease<T>) -> V,
    ) -> Result<Guarded<V>, LockError> {
        let (grants, unclaimed): (Vec<_>, Vec<_>) = match self.attempt_within(resources, ttl_ms, wait_ms).await? {
            Attempt::Granted(granted) => granted.into_iter().unzip(),
            Attempt::Taken => return Ok(Guarded::Taken { retry_after_ms: self.time_left(resources).await }),
        };
        let valid_until_ms = grants.iter().map(|grant| grant.valid_until_ms).min().unwrap_or(u64::MAX);
        let lease = Lease(Rc::new(State {
            runtime: Rc::clone(&self.runtime),
            grants,
            valid_until_ms: Cell::new(valid_until_ms),
            lost: Cell::new(false),
            waiting: RefCell::default(),
        }));
        let working = pin!(work(lease.clone()));
        let value = match select(working, pin!(self.renew(&lease, ttl_ms))).await {
            Either::Left((value, _)) => value,
            Either::Right((never, _)) => match never {},
        };
        let in_time = !lease.is_lost();
        let releases = lease.0.grants.iter().map(|grant| self.release(&grant.resource, &grant.token));
        // Without an answer, that it was in time has to do.
        let kept = |released| matches!(released, Ok(Released::Removed) | Err(_));
        let kept = join_all(releases).await.into_iter().all(kept);
        unclaimed.into_iter().for_each(Unclaimed::claim);
        Ok(Guarded::Done { value, lost: !(in_time && kept) })
    }

    /// Extends the locks again and again, until they are lost.
    async fn renew(&self, lease: &Lease<T>, ttl_ms: u64) -> std::convert::Infallible {
        let state = &lease.0;
        let left = || state.valid_until_ms.get().saturating_sub(self.runtime.monotonic_ms());
        let mut pause = ttl_ms / RENEWAL;
        while !lease.is_lost() {
            self.runtime.sleep(pause.clamp(1, left().max(1))).await;
            let until = self.runtime.monotonic_ms() + ttl_ms - self.drift_ms(ttl_ms);
            let extending = join_all(state.grants.iter().map(|g| self.extend(&g.resource, &g.token, ttl_ms)));
            // Past its end a lock is lost, whatever the servers say later.
            let Either::Left((extended, _)) = select(extending, pin!(self.runtime.sleep(left()))).await else { break };
            if extended.iter().any(|outcome| matches!(outcome, Ok(Extended::Expired | Extended::HeldByAnother))) {
                break;
            }
            let renewed = extended.iter().all(Result::is_ok);
            if renewed {
                state.valid_until_ms.set(until);
            }
            pause = ttl_ms / if renewed { RENEWAL } else { NEXT_ATTEMPT };
        }
        lease.lose();
        pending().await
    }
}
