//! The arithmetic of the sliding window, without Redis and clocks.

use crate::policy::Policy;

/// A moment in the fixed windows of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) policy: Policy,
    /// The number of the window since the Unix epoch.
    pub(crate) window: u64,
    /// The time since the window began.
    pub(crate) elapsed_ms: u64,
}

/// The counters of two consecutive windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) previous: u64,
    pub(crate) current: u64,
}

impl Moment {
    pub(crate) fn new(policy: Policy, unix_ms: u64) -> Self {
        let window_ms = policy.window_ms();
        Self { policy, window: unix_ms / window_ms, elapsed_ms: unix_ms % window_ms }
    }

    /// The time until the window ends: at least 1.
    pub(crate) fn until_end_ms(self) -> u64 {
        self.policy.window_ms() - self.elapsed_ms
    }

    /// The greatest count of the current window at which requests pass, if the previous window has this count.
    pub(crate) fn at_most(self, previous: u64) -> u64 {
        self.policy.limit().saturating_sub(carried(self.policy, previous, self.elapsed_ms))
    }

    /// Whether a request that is not counted yet may pass.
    pub(crate) fn admits(self, usage: Usage, cost: u64) -> bool {
        usage.current.saturating_add(cost) <= self.at_most(usage.previous)
    }

    /// How many milliseconds from now [`Moment::admits`] becomes true, if the client sends nothing else; 0: it is true.
    /// `cost` is not greater than the limit.
    pub(crate) fn until_admitted_ms(self, usage: Usage, cost: u64) -> u64 {
        let (limit, window_ms) = (self.policy.limit(), self.policy.window_ms());
        if let Some(room) = limit.checked_sub(usage.current.saturating_add(cost)) {
            let at_ms = earliest_ms(self.policy, usage.previous, room);
            if at_ms < window_ms {
                return at_ms.saturating_sub(self.elapsed_ms);
            }
        }
        self.until_end_ms() + earliest_ms(self.policy, usage.current, limit.saturating_sub(cost))
    }
}

/// The part of the previous window's count that still counts: rounded to the nearest whole number. Rounding up would
/// never let a small limit be used fully, rounding down would let one request more pass at each edge.
fn carried(policy: Policy, previous: u64, elapsed_ms: u64) -> u64 {
    let window = u128::from(policy.window_ms());
    let weighted = u128::from(previous) * (window - u128::from(elapsed_ms));
    // Not greater than `previous`.
    ((2 * weighted + window) / (2 * window)) as u64
}

/// The first elapsed time at which no more than `room` of `previous` still counts. At most the length of the window.
fn earliest_ms(policy: Policy, previous: u64, room: u64) -> u64 {
    if previous == 0 {
        return 0;
    }
    let window = u128::from(policy.window_ms());
    // Solves 2 × previous × left < window × (2 × room + 1) for the greatest whole number `left`.
    let left = (window * (2 * u128::from(room) + 1)).div_ceil(2 * u128::from(previous)) - 1;
    window.saturating_sub(left) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(limit: u64) -> Policy {
        Policy::new(limit, 1_000).expect("valid")
    }

    fn moment(limit: u64, elapsed_ms: u64) -> Moment {
        Moment { policy: policy(limit), window: 5, elapsed_ms }
    }

    #[test]
    fn windows_are_counted_from_the_epoch() {
        assert_eq!(Moment::new(policy(1), 5_999), Moment { policy: policy(1), window: 5, elapsed_ms: 999 });
        assert_eq!(Moment::new(policy(1), 6_000), Moment { policy: policy(1), window: 6, elapsed_ms: 0 });
        assert_eq!(Moment::new(policy(1), 5_999).until_end_ms(), 1);
    }

    #[test]
    fn the_previous_window_counts_less_and_less() {
        for (elapsed_ms, at_most) in [(0, 0), (4, 0), (6, 1), (250, 25), (500, 50), (994, 99), (996, 100), (999, 100)] {
            assert_eq!(moment(100, elapsed_ms).at_most(100), at_most, "after {elapsed_ms} ms");
        }
        assert_eq!(moment(100, 0).at_most(30), 70);
        assert_eq!(moment(100, 0).at_most(u64::MAX), 0, "a count that this policy would not have allowed");
    }

    /// Compares with the definition, millisecond by millisecond, over the current and the next window.
    #[test]
    fn the_wait_is_the_shortest_after_which_the_request_is_admitted() {
        for limit in [1_u64, 2, 3, 10, 40] {
            let policy = policy(limit);
            for previous in [0, 1, limit / 2, limit, limit + 1, 3 * limit] {
                for current in [0, 1, limit / 2, limit, 2 * limit] {
                    for cost in [1, limit.div_ceil(2), limit] {
                        for elapsed_ms in [0, 1, 333, 500, 998, 999] {
                            let now = moment(limit, elapsed_ms);
                            let usage = Usage { previous, current };
                            let admitted = |wait_ms: &u64| match elapsed_ms + wait_ms {
                                at @ 0..1_000 => Moment { policy, window: 5, elapsed_ms: at }.admits(usage, cost),
                                at @ 1_000..2_000 => Moment { policy, window: 6, elapsed_ms: at - 1_000 }
                                    .admits(Usage { previous: current, current: 0 }, cost),
                                _ => true,
                            };
                            let shortest = (0..=2_000).find(admitted).expect("admitted in the third window");
                            let wait = now.until_admitted_ms(usage, cost);
                            assert_eq!(wait, shortest, "{now:?} {usage:?} cost {cost}");
                        }
                    }
                }
            }
        }
    }
}
