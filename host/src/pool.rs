//! The instances of one component on one worker, and the requests that wait for them.
//!
//! Instances take requests from the queue themselves: one that is held up (by a call that blocks it, by a computation)
//! takes none, and does not keep them from the others. A new instance is made when those that could take a request are
//! not enough for those that wait.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use http::{Request, Response};
use slab::Slab;
use tokio::sync::{Notify, oneshot};
use wasmtime::Engine;
use wasmtime_wasi_http::WasiBody;

use crate::answer::AnswerBody;
use crate::engine::Compiled;
use crate::failure::Failure;
use crate::instance;
use crate::limits::Limits;
use crate::slot::Slot;
use crate::state::Surroundings;

/// Where the answer goes. Whoever waits for it may have gone.
pub type Reply = oneshot::Sender<Result<Response<AnswerBody>, Failure>>;

/// The answer, when it comes; the sender is dropped without one if the instance fails.
pub type Answer = oneshot::Receiver<Result<Response<AnswerBody>, Failure>>;

/// A request that waits.
pub struct Job {
    /// The request with all header fields that the component shall see.
    pub request: Request<WasiBody>,
    /// Where the answer goes.
    pub reply: Reply,
    /// Until when it must have been answered.
    pub deadline: Option<Instant>,
}

/// The first pause after an instance could not be made; it doubles up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// The instances of one component on one worker.
pub struct Pool {
    /// What new instances need.
    pub surroundings: Surroundings,
    /// What instances may take.
    pub limits: Limits,
    /// The engine of [`Self::compiled`].
    pub engine: Engine,
    /// The component.
    pub compiled: Compiled,
    queue: RefCell<VecDeque<Job>>,
    slots: RefCell<Slab<Rc<Slot>>>,
    starting: Cell<usize>,
    failures: Cell<u32>,
    /// No instance is made before.
    paused_until: Cell<Option<Instant>>,
    draining: Cell<bool>,
    ended: Notify,
}

impl Pool {
    /// No instances yet: they are made when requests come.
    pub fn new(surroundings: Surroundings, limits: Limits, engine: Engine, compiled: Compiled) -> Self {
        Self {
            surroundings,
            limits,
            engine,
            compiled,
            queue: RefCell::default(),
            slots: RefCell::default(),
            starting: Cell::new(0),
            failures: Cell::new(0),
            paused_until: Cell::new(None),
            draining: Cell::new(false),
            ended: Notify::new(),
        }
    }

    /// Queues a request. Too many waiting: the answer is [`Failure::Overloaded`] at once.
    pub fn submit(self: &Rc<Self>, request: Request<WasiBody>) -> Answer {
        let (reply, answer) = oneshot::channel();
        let refusal = if self.is_full() {
            Some(Failure::Overloaded)
        } else if self.is_paused() && self.slots.borrow().is_empty() {
            Some(Failure::NotInstantiated)
        } else {
            None
        };
        if let Some(failure) = refusal {
            // The receiver is right here.
            let _ = reply.send(Err(failure));
            return answer;
        }
        let deadline = self.limits.request_timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        self.queue.borrow_mut().push_back(Job { request, reply, deadline });
        self.dispatch();
        answer
    }

    /// Whether as many wait as may, apart from those that an instance is about to take.
    fn is_full(&self) -> bool {
        let waiting = self.queue.borrow().len();
        waiting >= self.limits.queue && {
            let free: usize = self.slots.borrow().iter().map(|(_, slot)| slot.free(&self.limits)).sum();
            waiting >= self.limits.queue + free
        }
    }

    /// The next request that somebody still waits for. Those that have waited too long are told so.
    pub fn take(&self) -> Option<Job> {
        loop {
            let job = self.queue.borrow_mut().pop_front()?;
            if job.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                // Whoever has gone needs no answer.
                let _ = job.reply.send(Err(Failure::TimedOut));
            } else if !job.reply.is_closed() {
                return Some(job);
            }
        }
    }

    /// Whether requests are waiting.
    pub fn has_waiting(&self) -> bool {
        !self.queue.borrow().is_empty()
    }

    /// Wakes as many instances as the waiting requests need, the oldest first, and makes new ones for the rest.
    pub fn dispatch(self: &Rc<Self>) {
        let waiting = self.queue.borrow().len();
        let per_instance = self.limits.concurrent.min(self.limits.reuse);
        let mut capacity = self.starting.get() * per_instance;
        for (_, slot) in self.slots.borrow().iter() {
            if capacity >= waiting {
                return;
            }
            let free = slot.free(&self.limits);
            if free > 0 {
                slot.wake();
                capacity += free;
            }
        }
        while capacity < waiting && self.can_grow() {
            self.starting.set(self.starting.get() + 1);
            tokio::task::spawn_local(instance::live(self.clone()));
            capacity += per_instance;
        }
        // Where none can be made, those go on that have had their share and stay for the sake of what takes its time. Else
        // such requests, a few in each, would keep everybody out.
        if !self.can_grow() {
            for (_, slot) in self.slots.borrow().iter() {
                if capacity >= waiting {
                    return;
                }
                let more = slot.renew(&self.limits);
                if more > 0 {
                    slot.wake();
                    capacity += more;
                }
            }
        }
    }

    /// Whether another instance can be made now.
    fn can_grow(&self) -> bool {
        !self.is_paused() && self.count() < self.limits.instances
    }

    fn count(&self) -> usize {
        self.starting.get() + self.slots.borrow().len()
    }

    fn is_paused(&self) -> bool {
        self.paused_until.get().is_some_and(|until| Instant::now() < until)
    }

    /// An instance has been made.
    pub fn started(&self, slot: Rc<Slot>) -> usize {
        self.starting.set(self.starting.get() - 1);
        self.failures.set(0);
        self.paused_until.set(None);
        self.slots.borrow_mut().insert(slot)
    }

    /// An instance could not be made: those who wait are told, unless other instances can serve them.
    pub fn not_started(self: &Rc<Self>) {
        self.starting.set(self.starting.get() - 1);
        let failures = self.failures.get();
        self.failures.set(failures.saturating_add(1));
        let pause = FIRST_PAUSE.saturating_mul(1 << failures.min(10)).min(MAX_PAUSE);
        self.paused_until.set(Some(Instant::now() + pause));
        if self.slots.borrow().is_empty() && self.starting.get() == 0 {
            self.refuse_waiting(&Failure::NotInstantiated);
        }
        // Those that were counted on the new one go to the others.
        self.dispatch();
        self.ended.notify_waiters();
    }

    /// An instance is gone.
    pub fn ended(self: &Rc<Self>, key: usize) {
        self.slots.borrow_mut().remove(key);
        self.dispatch();
        self.ended.notify_waiters();
    }

    /// Whether instances without work shall end.
    pub fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// Lets the requests and the work after answers end, then the instances. Does not return before.
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

    fn refuse_waiting(&self, failure: &Failure) {
        for job in self.queue.borrow_mut().drain(..) {
            // Whoever has gone needs no answer.
            let _ = job.reply.send(Err(failure.clone()));
        }
    }
}
