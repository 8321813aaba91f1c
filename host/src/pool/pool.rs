//! The instances of one component on one worker, and the queue in front of them.
//!
//! Instances take requests from the queue themselves: one that is blocked (by a computation or a blocking call) takes
//! none, and does not delay the requests behind it. If the instances cannot take all waiting requests, new ones are
//! started.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use http::Request;
use slab::Slab;
use tokio::sync::{Notify, oneshot};
use wasmtime_wasi_http::WasiBody;

use super::job::{CallError, Job, PendingResponse, Reply};
use super::limits::Limits;
use super::queue::Ticket;
use super::slot::Slot;
use super::start_pause::StartPause;
use super::turn::TURN;
use super::waiting::WaitingLine;
use crate::memory::Budget;
use crate::metrics::{Recorder, Refusal};

/// The instances of one component on one worker, and the queue in front of them.
pub struct Pool {
    /// The limits of the queue and of each instance.
    pub limits: Limits,
    /// Where requests and instances are counted.
    pub recorder: Recorder,
    memory: Arc<Budget>,
    start_instance: Box<dyn Fn(Rc<Pool>)>,
    waiting: WaitingLine,
    /// Whether [`refuse_overdue`] runs.
    refusing: Cell<bool>,
    slots: RefCell<Slab<Rc<Slot>>>,
    starting: Cell<usize>,
    pause: StartPause,
    draining: Cell<bool>,
    ended: Notify,
}

impl Pool {
    /// An empty pool. `start_instance` starts a task for an instance, which calls [`Self::started`] or
    /// [`Self::not_started`], and at its end [`Self::ended`].
    pub fn new(
        limits: Limits,
        recorder: Recorder,
        memory: Arc<Budget>,
        start_instance: impl Fn(Rc<Self>) + 'static,
    ) -> Self {
        Self {
            waiting: WaitingLine::new(limits, recorder.clone()),
            limits,
            recorder,
            memory,
            start_instance: Box::new(start_instance),
            refusing: Cell::new(false),
            slots: RefCell::default(),
            starting: Cell::new(0),
            pause: StartPause::default(),
            draining: Cell::new(false),
            ended: Notify::new(),
        }
    }

    /// Queues a request of a client and returns the channel for its response. While the host has too little memory,
    /// that is [`CallError::NoMemory`] at once.
    pub fn submit(self: &Rc<Self>, request: Request<WasiBody>) -> PendingResponse {
        let (reply, response) = oneshot::channel();
        let ticket = if self.memory.is_short() {
            self.waiting.refuse(reply, CallError::NoMemory, Refusal::Memory);
            None
        } else {
            self.enqueue(request, reply)
        };
        PendingResponse { response, place: ticket.map(|ticket| (self.clone(), ticket)) }
    }

    /// Queues a request whose response goes to `reply`. If the queue is full, that is [`CallError::Overloaded`] at
    /// once. A request of another component is not refused for lack of memory: it is part of one that was accepted.
    pub fn enqueue(self: &Rc<Self>, request: Request<WasiBody>, reply: Reply) -> Option<Ticket> {
        if self.is_full() {
            self.waiting.refuse(reply, CallError::Overloaded, Refusal::Queue);
            return None;
        }
        if self.pause.is_on() && self.slots.borrow().is_empty() {
            let _ = reply.send(Err(self.not_instantiated()));
            return None;
        }
        let deadline = self.limits.request_timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let ticket = self.waiting.push(Job { request, reply, deadline, waits_since: None });
        // The clock is read only if the request has to wait.
        if !self.dispatch() {
            self.waiting.must_wait(ticket);
        }
        Some(ticket)
    }

    fn not_instantiated(&self) -> CallError {
        if self.memory.is_short() { CallError::NoMemory } else { CallError::NotInstantiated }
    }

    /// The client of a request has gone: the request no longer waits.
    pub fn leave(&self, ticket: Ticket) {
        self.waiting.leave(ticket);
    }

    /// Whether the queue is full, not counting the requests that instances are about to take.
    fn is_full(&self) -> bool {
        let waiting = self.waiting.len();
        waiting >= self.limits.queue && {
            let free: usize = self.slots.borrow().iter().map(|(_, slot)| slot.free(&self.limits)).sum();
            waiting >= self.limits.queue + free
        }
    }

    /// Takes the next request, if another one may be started in this turn.
    pub fn take(self: &Rc<Self>) -> Option<Job> {
        let (job, is_last_of_turn) = self.waiting.take()?;
        if is_last_of_turn {
            tokio::task::spawn_local(next_turn(self.clone()));
        }
        Some(job)
    }

    /// Whether requests are waiting.
    pub fn has_waiting(&self) -> bool {
        self.waiting.len() > 0
    }

    /// Whether requests are waiting that may be started in this turn.
    pub fn has_startable(&self) -> bool {
        self.waiting.startable() > 0
    }

    /// Wakes as many instances as the waiting requests need that may start in this turn, the oldest first, and starts
    /// new ones for the rest. Returns whether instances that exist take all waiting requests in this turn.
    pub fn dispatch(self: &Rc<Self>) -> bool {
        let wanted = self.waiting.startable();
        let per_instance = self.limits.concurrent.min(self.limits.reuse);
        let starting = self.starting.get() * per_instance;
        let mut capacity = self.wake_instances(wanted, starting, |slot| slot.free(&self.limits));
        let all_start_now = starting == 0 && capacity >= self.waiting.len();
        while capacity < wanted && self.can_grow() {
            self.starting.set(self.starting.get() + 1);
            (self.start_instance)(self.clone());
            capacity += per_instance;
        }
        // At the instance limit: reset the request count of instances kept alive by long requests, or they block the
        // queue.
        self.wake_instances(wanted, capacity, |slot| slot.reset_request_count(&self.limits));
        if !all_start_now && !self.refusing.replace(true) {
            tokio::task::spawn_local(refuse_overdue(self.clone()));
        }
        all_start_now
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
        !self.pause.is_on() && self.count() < self.limits.instances
    }

    fn count(&self) -> usize {
        self.starting.get() + self.slots.borrow().len()
    }

    /// An instance has started. Returns its key.
    pub fn started(&self, slot: Rc<Slot>) -> usize {
        self.starting.set(self.starting.get() - 1);
        self.pause.end();
        self.slots.borrow_mut().insert(slot)
    }

    /// An instance could not be started. If there is no other, the waiting requests are answered with an error.
    pub fn not_started(self: &Rc<Self>) {
        self.starting.set(self.starting.get() - 1);
        self.pause.begin();
        if self.count() == 0 {
            self.waiting.fail_all(&self.not_instantiated());
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

    /// Ends the instances that have nothing to do, because the host has too little memory.
    pub fn end_idle(&self) {
        if !self.has_waiting() {
            self.slots.borrow().iter().for_each(|(_, slot)| slot.end_if_idle());
        }
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

/// Begins the next turn of `pool` at the end of this one. If the event loop is busy, that is later, after one pass of it.
async fn next_turn(pool: Rc<Pool>) {
    tokio::time::sleep(TURN).await;
    let has_place = pool.starting.get() > 0
        || pool.can_grow()
        || pool.slots.borrow().iter().any(|(_, slot)| slot.free(&pool.limits) > 0);
    pool.waiting.next_turn(has_place);
    pool.dispatch();
}

/// Refuses requests of `pool` that wait too long, until none waits. Under overload, [`next_turn`] refuses them earlier.
async fn refuse_overdue(pool: Rc<Pool>) {
    while let Some(due) = pool.waiting.refuse_overdue(Instant::now()) {
        tokio::time::sleep_until(due.into()).await;
    }
    pool.refusing.set(false);
}

#[cfg(test)]
#[path = "pool_tests.rs"]
mod tests;
