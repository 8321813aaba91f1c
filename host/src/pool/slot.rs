//! What a pool sees of an instance: how many requests it can take, and how to wake it.

use std::cell::{Cell, RefCell};
use std::task::Waker;
use std::time::Instant;

use super::in_flight::InFlight;
use super::job::Reply;
use super::limits::Limits;
use super::timer::{Activity, StopReason, Timer};

/// What a pool sees of an instance.
#[derive(Default)]
pub struct Slot {
    /// The requests that the instance is working on.
    pub in_flight: InFlight,
    /// When the instance must be checked or stopped.
    pub timer: Timer,
    /// Whether the event loop ran when the task was last polled.
    pub event_loop_ran: Cell<bool>,
    /// Whether a computation or a blocking call keeps the event loop from running.
    pub blocked: Cell<bool>,
    /// Whether it takes no more requests, whatever its request count.
    closed: Cell<bool>,
    /// Requests taken, since the start or the last reset.
    request_count: Cell<usize>,
    waker: RefCell<Option<Waker>>,
}

impl Slot {
    /// How many requests it can take now.
    pub fn free(&self, limits: &Limits) -> usize {
        self.free_concurrency(limits).min(limits.reuse.saturating_sub(self.request_count.get()))
    }

    /// How many requests it could take now if its request count were reset.
    fn free_concurrency(&self, limits: &Limits) -> usize {
        if self.closed.get() || self.blocked.get() {
            return 0;
        }
        limits.concurrent.saturating_sub(self.in_flight.len())
    }

    /// Whether it takes requests, now or later.
    pub fn is_accepting(&self, limits: &Limits) -> bool {
        !self.closed.get() && self.request_count.get() < limits.reuse
    }

    /// Wakes the instance, so that it looks at the queue.
    pub fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// Sets what [`Self::wake`] wakes.
    pub fn set_waker(&self, waker: &Waker) {
        let mut known = self.waker.borrow_mut();
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }

    /// Counts a request that the instance has taken; returns its key.
    pub fn take_request(&self, reply: Reply, deadline: Option<Instant>) -> usize {
        self.request_count.set(self.request_count.get() + 1);
        self.timer.request_taken(deadline);
        self.in_flight.add(reply, deadline)
    }

    /// Resets the request count of an instance that has reached the limit and cannot end, because of requests in flight
    /// or work after its responses (open bodies too). Returns how many requests it can take now; if none, nothing is
    /// reset. With a limit of one request per instance there is no reset.
    pub fn reset_request_count(&self, limits: &Limits) -> usize {
        let can_end = self.in_flight.len() == 0 && !matches!(self.timer.activity(), Activity::Finishing(_));
        if limits.reuse == 1 || self.is_accepting(limits) || can_end {
            return 0;
        }
        let free = self.free_concurrency(limits).min(limits.reuse);
        if free > 0 {
            self.request_count.set(0);
        }
        free
    }

    /// Times out requests, and says whether the instance must stop.
    pub fn check_time(&self, now: Instant, limits: &Limits) -> Option<StopReason> {
        let stop = self.timer.check(now, limits, &self.in_flight);
        if self.in_flight.timed_out() > 0 {
            self.closed.set(true);
        }
        stop
    }

    /// Makes the instance end if it has nothing to do.
    pub fn end_if_idle(&self) {
        if self.in_flight.len() == 0 && matches!(self.timer.activity(), Activity::Idle(_)) {
            self.closed.set(true);
            self.wake();
        }
    }

    /// Takes no more requests, and drops those in flight: their clients see the end of the channel.
    pub fn close(&self) {
        self.closed.set(true);
        self.in_flight.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::job::CallError;
    use crate::pool::limits::SMALL as LIMITS;
    use std::time::Duration;
    use tokio::sync::oneshot;

    fn take(slot: &Slot) -> usize {
        slot.take_request(oneshot::channel().0, None)
    }

    #[test]
    fn concurrency_and_request_count_are_limited() {
        let slot = Slot::default();
        assert_eq!(slot.free(&LIMITS), 2);
        let (first, second) = (take(&slot), take(&slot));
        assert_eq!(slot.free(&LIMITS), 0);
        slot.in_flight.remove(first);
        assert_eq!(slot.free(&LIMITS), 1);
        take(&slot);
        assert!(!slot.is_accepting(&LIMITS));
        assert_eq!(slot.free(&LIMITS), 0);
        slot.in_flight.remove(second);
        assert_eq!(slot.free(&LIMITS), 0);
    }

    /// A slot at the limit, and the key of the one request in flight.
    fn at_the_limit() -> (Slot, usize) {
        let slot = Slot::default();
        for _ in 1..LIMITS.reuse {
            slot.in_flight.remove(take(&slot));
        }
        let last = take(&slot);
        (slot, last)
    }

    #[test]
    fn a_request_in_flight_allows_one_reset() {
        let (slot, _) = at_the_limit();
        assert_eq!((slot.reset_request_count(&LIMITS), slot.reset_request_count(&LIMITS)), (1, 0));
        assert_eq!(slot.free(&LIMITS), 1);
    }

    #[test]
    fn work_after_the_responses_allows_a_reset_but_an_instance_that_can_end_is_not_reset() {
        let (slot, last) = at_the_limit();
        slot.in_flight.remove(last);
        assert_eq!(slot.reset_request_count(&LIMITS), 0, "it may be about to end");
        slot.timer.set_activity(Activity::Finishing(Instant::now()), &LIMITS);
        assert_eq!(slot.reset_request_count(&LIMITS), 2);
    }

    #[test]
    fn nothing_is_reset_if_the_instance_could_take_no_request() {
        let (slot, _) = at_the_limit();
        slot.blocked.set(true);
        assert_eq!(slot.reset_request_count(&LIMITS), 0);
        slot.blocked.set(false);
        assert_eq!(slot.free(&LIMITS), 0, "it was not reset meanwhile");
        let single = Slot::default();
        take(&single);
        assert_eq!(single.reset_request_count(&Limits { reuse: 1, ..LIMITS }), 0, "for a single request");
    }

    #[test]
    fn after_a_timeout_the_instance_takes_no_requests_and_stops_when_nobody_waits() {
        let slot = Slot::default();
        let start = Instant::now();
        let ((early, mut early_response), (late, late_response)) = (oneshot::channel(), oneshot::channel());
        slot.take_request(early, Some(start + Duration::from_secs(1)));
        let late = slot.take_request(late, Some(start + Duration::from_secs(5)));
        assert_eq!(slot.timer.due(), Some(start + Duration::from_secs(1)));
        assert_eq!(slot.check_time(start + Duration::from_secs(1), &LIMITS), None);
        assert!(matches!(early_response.try_recv(), Ok(Err(CallError::TimedOut))));
        assert_eq!(slot.timer.due(), Some(start + Duration::from_secs(5)));
        assert!(!slot.is_accepting(&LIMITS));
        drop(late_response);
        assert_eq!(slot.check_time(start + Duration::from_secs(2), &LIMITS), Some(StopReason::TimedOut));
        slot.in_flight.remove(late);
    }
}
