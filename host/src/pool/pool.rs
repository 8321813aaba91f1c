//! The instances of one component on one worker, and the queue in front of them.
//!
//! Instances take requests from the queue themselves: one that is blocked (by a computation or a blocking call) takes
//! none, and does not delay the requests behind it. If the instances cannot take all waiting requests, new ones are
//! started.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use http::Request;
use slab::Slab;
use tokio::sync::{Notify, oneshot};
use wasmtime_wasi_http::WasiBody;

use super::job::{CallError, Job, PendingResponse, Reply};
use super::limits::Limits;
use super::slot::Slot;
use crate::metrics::Recorder;

/// The pause after an instance could not be started. It doubles with each failure up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// The instances of one component on one worker, and the queue in front of them.
pub struct Pool {
    /// The limits of the queue and of each instance.
    pub limits: Limits,
    /// Where requests and instances are counted.
    pub recorder: Recorder,
    start_instance: Box<dyn Fn(Rc<Pool>)>,
    queue: RefCell<VecDeque<Job>>,
    slots: RefCell<Slab<Rc<Slot>>>,
    starting: Cell<usize>,
    failures: Cell<u32>,
    /// No instance is started before this time.
    paused_until: Cell<Option<Instant>>,
    draining: Cell<bool>,
    ended: Notify,
}

impl Pool {
    /// An empty pool. `start_instance` starts a task for an instance, which calls [`Self::started`] or
    /// [`Self::not_started`], and at its end [`Self::ended`].
    pub fn new(limits: Limits, recorder: Recorder, start_instance: impl Fn(Rc<Self>) + 'static) -> Self {
        Self {
            limits,
            recorder,
            start_instance: Box::new(start_instance),
            queue: RefCell::default(),
            slots: RefCell::default(),
            starting: Cell::new(0),
            failures: Cell::new(0),
            paused_until: Cell::new(None),
            draining: Cell::new(false),
            ended: Notify::new(),
        }
    }

    /// Queues a request and returns the channel for its response.
    pub fn submit(self: &Rc<Self>, request: Request<WasiBody>) -> PendingResponse {
        let (reply, response) = oneshot::channel();
        self.enqueue(request, reply);
        response
    }

    /// Queues a request whose response goes to `reply`. If the queue is full, that is [`CallError::Overloaded`] at
    /// once.
    pub fn enqueue(self: &Rc<Self>, request: Request<WasiBody>, reply: Reply) {
        let refusal = if self.is_full() {
            self.recorder.refused();
            Some(CallError::Overloaded)
        } else if self.is_paused() && self.slots.borrow().is_empty() {
            Some(CallError::NotInstantiated)
        } else {
            None
        };
        if let Some(error) = refusal {
            let _ = reply.send(Err(error));
            return;
        }
        let deadline = self.limits.request_timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        self.queue.borrow_mut().push_back(Job { request, reply, deadline });
        self.recorder.waiting(self.queue.borrow().len());
        self.dispatch();
    }

    /// Whether the queue is full, not counting the requests that instances are about to take.
    fn is_full(&self) -> bool {
        let waiting = self.queue.borrow().len();
        waiting >= self.limits.queue && {
            let free: usize = self.slots.borrow().iter().map(|(_, slot)| slot.free(&self.limits)).sum();
            waiting >= self.limits.queue + free
        }
    }

    /// Takes the next request whose client still waits. Requests that have waited too long are answered here.
    pub fn take(&self) -> Option<Job> {
        loop {
            let job = self.queue.borrow_mut().pop_front()?;
            self.recorder.waiting(self.queue.borrow().len());
            if job.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                let _ = job.reply.send(Err(CallError::TimedOut));
            } else if !job.reply.is_closed() {
                return Some(job);
            }
        }
    }

    /// Whether requests are waiting.
    pub fn has_waiting(&self) -> bool {
        !self.queue.borrow().is_empty()
    }

    /// Wakes as many instances as the waiting requests need, the oldest first, and starts new ones for the rest.
    pub fn dispatch(self: &Rc<Self>) {
        let waiting = self.queue.borrow().len();
        let per_instance = self.limits.concurrent.min(self.limits.reuse);
        let starting = self.starting.get() * per_instance;
        let mut capacity = self.wake_instances(waiting, starting, |slot| slot.free(&self.limits));
        while capacity < waiting && self.can_grow() {
            self.starting.set(self.starting.get() + 1);
            (self.start_instance)(self.clone());
            capacity += per_instance;
        }
        // At the instance limit: reset the request count of instances kept alive by long requests, or they block the
        // queue.
        self.wake_instances(waiting, capacity, |slot| slot.reset_request_count(&self.limits));
    }

    /// Wakes instances until `capacity` is enough for `waiting` requests. `free` says how many requests an instance can
    /// take. Returns the capacity with that of the woken instances.
    fn wake_instances(&self, waiting: usize, mut capacity: usize, free: impl Fn(&Slot) -> usize) -> usize {
        for (_, slot) in self.slots.borrow().iter() {
            if capacity >= waiting {
                break;
            }
            let free = free(slot);
            if free > 0 {
                slot.wake();
                capacity += free;
            }
        }
        capacity
    }

    /// Whether another instance can be started now.
    fn can_grow(&self) -> bool {
        !self.is_paused() && self.count() < self.limits.instances
    }

    fn count(&self) -> usize {
        self.starting.get() + self.slots.borrow().len()
    }

    fn is_paused(&self) -> bool {
        self.paused_until.get().is_some_and(|until| Instant::now() < until)
    }

    /// An instance has started. Returns its key.
    pub fn started(&self, slot: Rc<Slot>) -> usize {
        self.starting.set(self.starting.get() - 1);
        self.failures.set(0);
        self.paused_until.set(None);
        self.slots.borrow_mut().insert(slot)
    }

    /// An instance could not be started. If there is no other, the waiting requests are answered with an error.
    pub fn not_started(self: &Rc<Self>) {
        self.starting.set(self.starting.get() - 1);
        let failures = self.failures.get();
        self.failures.set(failures.saturating_add(1));
        let pause = FIRST_PAUSE.saturating_mul(1 << failures.min(10)).min(MAX_PAUSE);
        self.paused_until.set(Some(Instant::now() + pause));
        if self.count() == 0 {
            for job in self.queue.borrow_mut().drain(..) {
                let _ = job.reply.send(Err(CallError::NotInstantiated));
            }
            self.recorder.waiting(0);
        }
        // The other instances take the requests that were meant for this one.
        self.dispatch();
        self.ended.notify_waiters();
    }

    /// An instance has ended.
    pub fn ended(self: &Rc<Self>, key: usize) {
        self.slots.borrow_mut().remove(key);
        self.dispatch();
        self.ended.notify_waiters();
    }

    /// Whether idle instances must end.
    pub fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// Waits until all requests, and the work after their responses, are done and the instances have ended.
    pub async fn drain(&self) {
        self.draining.set(true);
        loop {
            let ended = self.ended.notified();
            if self.count() == 0 {
                return;
            }
            self.slots.borrow().iter().for_each(|(_, slot)| slot.wake());
            ended.await;
        }
    }
}

#[cfg(test)]
#[path = "pool_tests.rs"]
mod tests;
