//! What a pool and the clock see of an instance: how much it could take, what it owes to whom and until when.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use slab::Slab;

use crate::answer::Bodies;
use crate::failure::Failure;
use crate::limits::Limits;
use crate::pool::Reply;

/// How often an instance looks whether anybody still waits for its answers; twice nobody, and it is dropped.
const ABANDONED_CHECK: Duration = Duration::from_secs(5);

/// What an instance is doing, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// Nothing.
    Idle(Instant),
    /// Requests are in flight.
    Answering,
    /// All requests are answered; what the component started meanwhile is not finished.
    Finishing(Instant),
}

/// Why an instance is dropped before it ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// It had no work for a while.
    Idle,
    /// A request, or the work after an answer, took too long.
    Late,
    /// Nobody waits for its answers any more.
    Abandoned,
}

struct InFlight {
    /// None once it was answered that it is late.
    reply: Option<Reply>,
    deadline: Option<Instant>,
}

/// What the pool sees of an instance.
pub struct Slot {
    /// Whether the event loop was reached the last time that the task ran.
    pub reached: Cell<bool>,
    /// Whether something holds the event loop up.
    pub blocked: Cell<bool>,
    /// Requests in flight that were answered that they are late: only ballast.
    pub given_up: Cell<usize>,
    /// The bodies of its answers.
    pub bodies: Arc<Bodies>,
    waker: RefCell<Option<Waker>>,
    /// False once it shall take no more requests, whatever its share.
    accepting: Cell<bool>,
    /// Requests taken of its share.
    taken: Cell<usize>,
    requests: RefCell<Slab<InFlight>>,
    /// When it ends at the latest, since it has given a request up.
    doomed: Cell<Option<Instant>>,
    activity: Cell<Activity>,
    /// The earliest moment at which something may have to be done about time.
    due: Cell<Option<Instant>>,
    /// Whether nobody waited at the last check.
    abandoned: Cell<bool>,
}

impl Default for Slot {
    /// Of an instance that has just been made.
    fn default() -> Self {
        Self {
            waker: RefCell::default(),
            accepting: Cell::new(true),
            reached: Cell::new(false),
            blocked: Cell::new(false),
            taken: Cell::new(0),
            requests: RefCell::default(),
            bodies: Arc::default(),
            given_up: Cell::new(0),
            doomed: Cell::new(None),
            activity: Cell::new(Activity::Idle(Instant::now())),
            due: Cell::new(None),
            abandoned: Cell::new(false),
        }
    }
}

impl Slot {
    /// How many requests it could take now.
    pub fn free(&self, limits: &Limits) -> usize {
        self.room(limits).min(limits.reuse.saturating_sub(self.taken.get()))
    }

    /// How many requests it could take now, whatever its share.
    fn room(&self, limits: &Limits) -> usize {
        if !self.accepting.get() || self.blocked.get() {
            return 0;
        }
        limits.concurrent.saturating_sub(self.requests.borrow().len())
    }

    /// Lets it look at the queue.
    pub fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// Keeps whom to wake.
    pub fn remember(&self, waker: &Waker) {
        let mut known = self.waker.borrow_mut();
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }

    /// Lets the clock be looked at by `moment`.
    fn due_by(&self, moment: Option<Instant>) {
        if let Some(moment) = moment
            && self.due.get().is_none_or(|due| moment < due)
        {
            self.due.set(Some(moment));
        }
    }

    /// When the clock must be looked at, if at all.
    pub fn due(&self) -> Option<Instant> {
        self.due.get()
    }

    /// What it is doing.
    pub fn activity(&self) -> Activity {
        self.activity.get()
    }

    /// Takes note of what it is doing now.
    pub fn set_activity(&self, activity: Activity, limits: &Limits) {
        self.activity.set(activity);
        match activity {
            Activity::Answering => {}
            Activity::Idle(since) => self.due_by(since.checked_add(limits.idle)),
            Activity::Finishing(since) => {
                self.due_by(limits.request_timeout.and_then(|timeout| since.checked_add(timeout)));
            }
        }
    }

    /// Takes note of a request; answers its key.
    pub fn admit(&self, reply: Reply, deadline: Option<Instant>) -> usize {
        self.taken.set(self.taken.get() + 1);
        self.activity.set(Activity::Answering);
        self.abandoned.set(false);
        if self.due.get().is_none() || deadline.is_some() {
            self.due_by(deadline.or_else(|| Some(Instant::now() + ABANDONED_CHECK)));
        }
        self.requests.borrow_mut().insert(InFlight { reply: Some(reply), deadline })
    }

    /// The request is no longer in flight; answers where its answer goes, if somebody still wants one.
    pub fn release(&self, key: usize) -> Option<Reply> {
        let reply = self.requests.borrow_mut().remove(key).reply;
        if reply.is_none() {
            self.given_up.set(self.given_up.get() - 1);
        }
        reply
    }

    /// Whether it may take requests, now or later.
    pub fn is_accepting(&self, limits: &Limits) -> bool {
        self.accepting.get() && self.taken.get() < limits.reuse
    }

    /// Lets it answer as many requests again if it has had its share and cannot end yet: because of requests, or of what
    /// goes on after the answers (open bodies too). Answers how many more it can take now; if none, it stays as it is. One
    /// that is for a single request stays so.
    pub fn renew(&self, limits: &Limits) -> usize {
        let can_end = self.requests.borrow().is_empty() && !matches!(self.activity.get(), Activity::Finishing(_));
        if limits.reuse == 1 || self.is_accepting(limits) || can_end {
            return 0;
        }
        let more = self.room(limits).min(limits.reuse);
        if more > 0 {
            self.taken.set(0);
        }
        more
    }

    /// It takes no more requests, and owes no more answers: who still waits is told by the end of the channels.
    pub fn close(&self) {
        self.accepting.set(false);
        self.requests.borrow_mut().clear();
    }

    /// Whether somebody waits for one of its answers, or for the rest of one.
    pub fn is_awaited(&self) -> bool {
        self.bodies.any_open()
            || self.requests.borrow().iter().any(|(_, request)| request.reply.as_ref().is_some_and(|r| !r.is_closed()))
    }

    /// Does what is due at `now`; answers whether the instance must go.
    pub fn check_time(&self, now: Instant, limits: &Limits) -> Option<Cut> {
        self.due.set(None);
        match self.activity.get() {
            Activity::Idle(since) if is_over(since, Some(limits.idle), now) => return Some(Cut::Idle),
            Activity::Finishing(since) if is_over(since, limits.request_timeout, now) => return Some(Cut::Late),
            Activity::Answering => return self.check_requests(now, limits),
            activity => self.set_activity(activity, limits),
        }
        None
    }

    fn check_requests(&self, now: Instant, limits: &Limits) -> Option<Cut> {
        for (_, request) in self.requests.borrow_mut().iter_mut() {
            match request.deadline {
                Some(deadline) if deadline <= now => {
                    if let Some(reply) = request.reply.take() {
                        self.accepting.set(false);
                        self.given_up.set(self.given_up.get() + 1);
                        // Whoever has gone needs no answer.
                        let _ = reply.send(Err(Failure::TimedOut));
                    }
                }
                deadline => self.due_by(deadline),
            }
        }
        if self.given_up.get() > 0 {
            if self.doomed.get().is_none() {
                // By then the others have been answered, or given up too.
                self.doomed.set(limits.request_timeout.and_then(|timeout| now.checked_add(timeout)));
            }
            if !self.is_awaited() || self.doomed.get().is_some_and(|moment| moment <= now) {
                return Some(Cut::Late);
            }
        } else if !self.is_awaited() && self.abandoned.replace(true) {
            return Some(Cut::Abandoned);
        }
        self.due_by(self.doomed.get());
        self.due_by(Some(now + ABANDONED_CHECK));
        None
    }
}

/// Whether `limit` has passed since `since`; without limit, never.
fn is_over(since: Instant, limit: Option<Duration>, now: Instant) -> bool {
    limit.and_then(|limit| since.checked_add(limit)).is_some_and(|end| end <= now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    const LIMITS: Limits = Limits {
        reuse: 3,
        concurrent: 2,
        idle: Duration::from_secs(1),
        request_timeout: Some(Duration::from_secs(10)),
        memory: 0,
        instances: 1,
        queue: 1,
    };

    #[test]
    fn it_takes_its_share_and_no_more() {
        let slot = Slot::default();
        assert_eq!(slot.free(&LIMITS), 2);
        let first = slot.admit(oneshot::channel().0, None);
        let second = slot.admit(oneshot::channel().0, None);
        assert_eq!(slot.free(&LIMITS), 0);
        slot.release(first);
        assert_eq!(slot.free(&LIMITS), 1);
        slot.admit(oneshot::channel().0, None);
        assert!(!slot.is_accepting(&LIMITS));
        assert_eq!(slot.free(&LIMITS), 0);
        slot.release(second);
        assert_eq!(slot.free(&LIMITS), 0);
    }

    /// One that has had its share, and the last of its requests.
    fn used_up() -> (Slot, usize) {
        let slot = Slot::default();
        for _ in 1..LIMITS.reuse {
            slot.release(slot.admit(oneshot::channel().0, None));
        }
        let last = slot.admit(oneshot::channel().0, None);
        (slot, last)
    }

    #[test]
    fn its_share_is_renewed_once_while_a_request_keeps_it() {
        let (slot, _) = used_up();
        assert_eq!((slot.renew(&LIMITS), slot.renew(&LIMITS)), (1, 0));
        assert_eq!(slot.free(&LIMITS), 1);
    }

    #[test]
    fn its_share_is_renewed_while_work_after_the_answers_keeps_it_and_not_when_it_can_end() {
        let (slot, last) = used_up();
        slot.release(last);
        assert_eq!(slot.renew(&LIMITS), 0, "it may be about to end");
        slot.set_activity(Activity::Finishing(Instant::now()), &LIMITS);
        assert_eq!(slot.renew(&LIMITS), 2);
    }

    #[test]
    fn its_share_is_not_renewed_where_that_gives_no_room() {
        let (slot, _) = used_up();
        slot.blocked.set(true);
        assert_eq!(slot.renew(&LIMITS), 0);
        slot.blocked.set(false);
        assert_eq!(slot.free(&LIMITS), 0, "it has not been renewed meanwhile");
        let single = Slot::default();
        single.admit(oneshot::channel().0, None);
        assert_eq!(single.renew(&Limits { reuse: 1, ..LIMITS }), 0, "for a single request");
    }

    #[test]
    fn late_requests_are_told_and_the_instance_goes_when_nobody_waits() {
        let slot = Slot::default();
        let start = Instant::now();
        let ((early, mut early_answer), (late, late_answer)) = (oneshot::channel(), oneshot::channel());
        slot.admit(early, Some(start + Duration::from_secs(1)));
        let late = slot.admit(late, Some(start + Duration::from_secs(5)));
        assert_eq!(slot.due(), Some(start + Duration::from_secs(1)));
        assert_eq!(slot.check_time(start + Duration::from_secs(1), &LIMITS), None);
        assert!(matches!(early_answer.try_recv(), Ok(Err(Failure::TimedOut))));
        assert_eq!(slot.due(), Some(start + Duration::from_secs(5)));
        assert!(!slot.is_accepting(&LIMITS));
        drop(late_answer);
        assert_eq!(slot.check_time(start + Duration::from_secs(2), &LIMITS), Some(Cut::Late));
        slot.release(late);
    }

    #[test]
    fn nobody_waiting_twice_is_abandoned() {
        let slot = Slot::default();
        let now = Instant::now();
        slot.admit(oneshot::channel().0, None);
        assert_eq!(slot.check_time(now, &LIMITS), None);
        assert_eq!(slot.check_time(now + ABANDONED_CHECK, &LIMITS), Some(Cut::Abandoned));
    }

    #[test]
    fn idle_and_finishing_have_their_times() {
        let slot = Slot::default();
        let start = Instant::now();
        slot.set_activity(Activity::Idle(start), &LIMITS);
        assert_eq!(slot.due(), Some(start + LIMITS.idle));
        assert_eq!(slot.check_time(start + Duration::from_millis(999), &LIMITS), None);
        assert_eq!(slot.check_time(start + LIMITS.idle, &LIMITS), Some(Cut::Idle));
        slot.set_activity(Activity::Finishing(start), &LIMITS);
        assert_eq!(slot.check_time(start + Duration::from_secs(9), &LIMITS), None);
        assert_eq!(slot.check_time(start + Duration::from_secs(10), &LIMITS), Some(Cut::Late));
    }
}
