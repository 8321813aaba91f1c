//! Which of a connection's timeouts is over. This module counts regular ticks and reads no clock. So a request costs
//! nothing here, and the time in which the host itself was suspended does not count against its clients.

use std::time::Duration;

use super::connection_limits::ConnectionLimits;
use super::exchange::{Phase, Seen};
use crate::metrics::Closed;

/// The time between two ticks.
pub const TICK: Duration = Duration::from_millis(250);

/// The least rate of a request's body, in bytes per second, after [`RATE_AFTER`]. These are the values of Apache's
/// mod_reqtimeout.
const MIN_RATE: u64 = 500;
const RATE_AFTER: Duration = Duration::from_secs(20);

/// The times of one connection.
#[derive(Debug, Default)]
pub struct Deadlines {
    seen: Seen,
    /// For how long nothing has changed.
    age: Duration,
    /// How long the component, or the host, has waited for the current request's body, in all.
    waited: Duration,
}

impl Deadlines {
    /// What the connection did at the last tick.
    pub fn seen(&self) -> Seen {
        self.seen
    }

    /// For how long it has done that.
    pub fn age(&self) -> Duration {
        self.age
    }

    /// A tick, at which the connection is as `seen`. Returns which timeout is over. It is never early, and late by up
    /// to one tick.
    pub fn tick(&mut self, seen: Seen, limits: &ConnectionLimits) -> Option<Closed> {
        if seen.requests != self.seen.requests {
            self.waited = Duration::ZERO;
        }
        if seen == self.seen {
            self.age += TICK;
        } else {
            self.age = Duration::ZERO;
            self.seen = seen;
        }
        let (limit, closed) = match seen.phase {
            Phase::Silent | Phase::Header => (limits.header, Closed::HeaderTimeout),
            Phase::Idle => (limits.keep_alive, Closed::KeepAliveTimeout),
            Phase::Blocked => (limits.write, Closed::WriteTimeout),
            Phase::Body => {
                self.waited += TICK;
                if self.waited > RATE_AFTER && seen.progress < MIN_RATE * self.waited.as_secs() {
                    return Some(Closed::BodyTimeout);
                }
                (limits.body, Closed::BodyTimeout)
            }
            Phase::Busy => return None,
        };
        (self.age >= limit).then_some(closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::connection_limits::SHORT;

    fn seen(phase: Phase, requests: u32, progress: u64) -> Seen {
        Seen { phase, requests, progress }
    }

    /// After how many ticks a connection is closed whose state is always `seen`.
    fn ticks_until_closed(deadlines: &mut Deadlines, seen: Seen) -> (u32, Closed) {
        (1..).find_map(|tick| Some((tick, deadlines.tick(seen, &SHORT)?))).expect("an end")
    }

    #[test]
    fn each_phase_has_its_timeout() {
        for (phase, seconds, closed) in [
            (Phase::Silent, 1, Closed::HeaderTimeout),
            (Phase::Header, 1, Closed::HeaderTimeout),
            (Phase::Idle, 2, Closed::KeepAliveTimeout),
            (Phase::Body, 3, Closed::BodyTimeout),
            (Phase::Blocked, 4, Closed::WriteTimeout),
        ] {
            let found = ticks_until_closed(&mut Deadlines::default(), seen(phase, 7, 0));
            assert_eq!(found, (seconds * 4 + 1, closed), "{phase:?}");
        }
    }

    #[test]
    fn what_a_component_waits_for_has_no_end() {
        let mut deadlines = Deadlines::default();
        assert!((0..1_000_000).all(|_| deadlines.tick(seen(Phase::Busy, 1, 0), &SHORT).is_none()));
    }

    #[test]
    fn a_new_request_or_progress_starts_the_time_again() {
        let mut deadlines = Deadlines::default();
        for request in 0..100 {
            assert!((0..5).all(|_| deadlines.tick(seen(Phase::Idle, request, 0), &SHORT).is_none()));
        }
        for write in 0..100 {
            assert!((0..10).all(|_| deadlines.tick(seen(Phase::Blocked, 1, write), &SHORT).is_none()));
        }
    }

    #[test]
    fn a_header_has_one_timeout_whatever_arrives() {
        let mut deadlines = Deadlines::default();
        deadlines.tick(seen(Phase::Silent, 0, 0), &SHORT);
        assert_eq!(ticks_until_closed(&mut deadlines, seen(Phase::Header, 0, 0)).0, 5);
    }

    #[test]
    fn a_body_needs_a_rate() {
        let closed_after = |bytes_per_tick: u64| {
            let mut deadlines = Deadlines::default();
            (1..10_000_u64).find(|tick| deadlines.tick(seen(Phase::Body, 1, tick * bytes_per_tick), &SHORT).is_some())
        };
        assert_eq!(closed_after(1), Some(81), "after 20 s");
        assert_eq!(closed_after(100), Some(81));
        assert_eq!(closed_after(125), None, "500 bytes per second");
        // Time in which nobody waits for the body does not count.
        let mut deadlines = Deadlines::default();
        for tick in 1..1000 {
            let phase = if tick % 100 == 0 { Phase::Body } else { Phase::Busy };
            assert_eq!(deadlines.tick(seen(phase, 1, tick), &SHORT), None);
        }
    }
}
