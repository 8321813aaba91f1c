//! When an instance has to be checked, and when it must stop.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::in_flight::InFlight;
use super::limits::Limits;

/// How often an instance checks whether anybody waits for its responses. It stops if nobody does, twice in a row.
pub const ABANDONED_CHECK: Duration = Duration::from_secs(5);

/// What an instance is doing, and since when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activity {
    /// Nothing.
    Idle(Instant),
    /// Requests are in flight, or the instance is starting.
    #[default]
    Serving,
    /// All requests are answered; the component still does work that it started for them.
    Finishing(Instant),
}

/// Why an instance is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// It had no requests for `--idle-instance-timeout`.
    Idle,
    /// A request, or the work after a response, took longer than `--request-timeout`.
    TimedOut,
    /// Nobody waits for its responses any more.
    Abandoned,
}

/// The times of one instance.
#[derive(Default)]
pub struct Timer {
    activity: Cell<Activity>,
    /// The next check.
    due: Cell<Option<Instant>>,
    /// When the instance stops although clients wait: set when a request has timed out.
    stops_at: Cell<Option<Instant>>,
    /// Whether nobody waited at the last check.
    abandoned: Cell<bool>,
}

impl Timer {
    /// What the instance is doing.
    pub fn activity(&self) -> Activity {
        self.activity.get()
    }

    /// When [`Self::check`] must be called, if at all.
    pub fn due(&self) -> Option<Instant> {
        self.due.get()
    }

    fn due_by(&self, time: Option<Instant>) {
        if let Some(time) = time
            && self.due.get().is_none_or(|due| time < due)
        {
            self.due.set(Some(time));
        }
    }

    /// Notes what the instance is doing now.
    pub fn set_activity(&self, activity: Activity, limits: &Limits) {
        self.activity.set(activity);
        match activity {
            Activity::Serving => {}
            Activity::Idle(since) => self.due_by(since.checked_add(limits.idle)),
            Activity::Finishing(since) => {
                self.due_by(limits.request_timeout.and_then(|timeout| since.checked_add(timeout)));
            }
        }
    }

    /// Notes that the instance has taken a request.
    pub fn request_taken(&self, deadline: Option<Instant>) {
        self.activity.set(Activity::Serving);
        self.abandoned.set(false);
        // The clock is read only for the first request: later ones need no earlier check.
        if self.due.get().is_none() || deadline.is_some() {
            self.due_by(deadline.or_else(|| Some(Instant::now() + ABANDONED_CHECK)));
        }
    }

    /// Does what is due at `now`, and says whether the instance must stop.
    pub fn check(&self, now: Instant, limits: &Limits, in_flight: &InFlight) -> Option<StopReason> {
        self.due.set(None);
        match self.activity.get() {
            Activity::Idle(since) if is_over(since, Some(limits.idle), now) => return Some(StopReason::Idle),
            Activity::Finishing(since) if is_over(since, limits.request_timeout, now) => {
                return Some(StopReason::TimedOut);
            }
            Activity::Serving => return self.check_requests(now, limits, in_flight),
            activity => self.set_activity(activity, limits),
        }
        None
    }

    fn check_requests(&self, now: Instant, limits: &Limits, in_flight: &InFlight) -> Option<StopReason> {
        self.due_by(in_flight.time_out(now));
        if in_flight.timed_out() > 0 {
            if self.stops_at.get().is_none() {
                // By then the other requests are answered or have timed out too.
                self.stops_at.set(limits.request_timeout.and_then(|timeout| now.checked_add(timeout)));
            }
            if !in_flight.is_awaited() || self.stops_at.get().is_some_and(|time| time <= now) {
                return Some(StopReason::TimedOut);
            }
        } else if !in_flight.is_awaited() && self.abandoned.replace(true) {
            return Some(StopReason::Abandoned);
        }
        self.due_by(self.stops_at.get());
        self.due_by(Some(now + ABANDONED_CHECK));
        None
    }
}

/// Whether `limit` has passed since `since`. Always false without a limit.
fn is_over(since: Instant, limit: Option<Duration>, now: Instant) -> bool {
    limit.and_then(|limit| since.checked_add(limit)).is_some_and(|end| end <= now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::limits::SMALL as LIMITS;
    use tokio::sync::oneshot;

    #[test]
    fn an_instance_stops_after_its_idle_timeout_or_when_its_work_takes_too_long() {
        let (timer, none) = (Timer::default(), InFlight::default());
        let start = Instant::now();
        timer.set_activity(Activity::Idle(start), &LIMITS);
        assert_eq!(timer.due(), Some(start + LIMITS.idle));
        assert_eq!(timer.check(start + Duration::from_millis(999), &LIMITS, &none), None);
        assert_eq!(timer.check(start + LIMITS.idle, &LIMITS, &none), Some(StopReason::Idle));
        timer.set_activity(Activity::Finishing(start), &LIMITS);
        assert_eq!(timer.check(start + Duration::from_secs(9), &LIMITS, &none), None);
        assert_eq!(timer.check(start + Duration::from_secs(10), &LIMITS, &none), Some(StopReason::TimedOut));
    }

    #[test]
    fn an_instance_stops_at_the_second_check_at_which_nobody_waits() {
        let (timer, in_flight) = (Timer::default(), InFlight::default());
        let now = Instant::now();
        in_flight.add(oneshot::channel().0, None);
        timer.request_taken(None);
        assert_eq!(timer.check(now, &LIMITS, &in_flight), None);
        assert_eq!(timer.check(now + ABANDONED_CHECK, &LIMITS, &in_flight), Some(StopReason::Abandoned));
    }
}
