//! The checker for rate limits: judges each request of one client by the policy, from the times that the client
//! measured. So it needs no machine that sends all requests in time.
//!
//! The service counts a request at some time between its sending and its response, in windows that begin at multiples
//! of their length since 1970. A request may pass if `current + previous × (1 − elapsed / window) ≤ limit`
//! (docs/rate-limits.md). The client sends one request at a time, so it knows which ones were counted before.

/// Milliseconds since 1970, by the clock of this machine, which is also that of the hosts.
pub type Moment = u64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Passed,
    Refused,
    /// It passed because Redis did not reply in time. It may have been counted.
    Uncounted,
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub sent: Moment,
    pub received: Moment,
    pub answer: Answer,
}

/// `limit` requests in a window of `window_ms`.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    pub limit: u64,
    pub window_ms: u64,
}

/// What the policy says about the answers that a client got.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The numbers of the requests that passed and should not have passed.
    pub wrongly_passed: Vec<usize>,
    /// The numbers of those that were refused and should have passed.
    pub wrongly_refused: Vec<usize>,
}

impl Policy {
    /// Judges the requests of one client, in the order in which they were sent.
    pub fn judge(self, requests: &[Request]) -> Verdict {
        let mut verdict = Verdict::default();
        for (number, request) in requests.iter().enumerate() {
            let window = request.sent / self.window_ms;
            if window != request.received / self.window_ms {
                // Nobody knows in which of the two it was counted.
                continue;
            }
            let before = &requests[..number];
            match request.answer {
                Answer::Passed => {
                    let certainly = |window| self.certainly(before, window);
                    let previous = self.carried(certainly(window - 1), request.received);
                    if certainly(window) + 1 + previous > self.limit {
                        verdict.wrongly_passed.push(number);
                    }
                }
                Answer::Refused => {
                    let perhaps = |window| self.perhaps(before, window);
                    let previous = self.carried(perhaps(window - 1), request.sent);
                    // A refused request is subtracted again after its response, which may be now.
                    let subtracted = u64::from(before.last().is_some_and(|last| last.answer == Answer::Refused));
                    if perhaps(window) + 1 + subtracted + previous <= self.limit {
                        verdict.wrongly_refused.push(number);
                    }
                }
                Answer::Uncounted => {}
            }
        }
        verdict
    }

    /// How many requests have certainly been counted in this window.
    fn certainly(self, requests: &[Request], window: u64) -> u64 {
        let is_inside = |at: Moment| at / self.window_ms == window;
        let counted = |request: &&Request| {
            request.answer == Answer::Passed && is_inside(request.sent) && is_inside(request.received)
        };
        requests.iter().filter(counted).count() as u64
    }

    /// How many requests may have been counted in this window.
    fn perhaps(self, requests: &[Request], window: u64) -> u64 {
        let is_inside = |at: Moment| at / self.window_ms == window;
        let counted = |request: &&Request| {
            request.answer != Answer::Refused && (is_inside(request.sent) || is_inside(request.received))
        };
        requests.iter().filter(counted).count() as u64
    }

    /// What still counts of the requests of the window before: rounded to the nearest whole number, half of one upwards.
    fn carried(self, previous: u64, at: Moment) -> u64 {
        let left = self.window_ms - at % self.window_ms;
        (2 * previous * left + self.window_ms) / (2 * self.window_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy { limit: 4, window_ms: 100 };

    fn judge(requests: &[(Moment, Moment, Answer)]) -> Verdict {
        let requests: Vec<_> =
            requests.iter().map(|&(sent, received, answer)| Request { sent, received, answer }).collect();
        POLICY.judge(&requests)
    }

    use Answer::{Passed, Refused, Uncounted};

    #[test]
    fn a_client_that_gets_its_quota_is_treated_rightly() {
        let first = [(1_000, 1_001, Passed), (1_002, 1_003, Passed), (1_004, 1_005, Passed), (1_006, 1_007, Passed)];
        let then = [(1_008, 1_009, Refused), (1_110, 1_111, Refused), (1_113, 1_114, Passed), (1_115, 1_116, Refused)];
        assert_eq!(judge(&[first, then].concat()), Verdict::default());
    }

    #[test]
    fn a_request_beyond_the_limit_is_found() {
        let one = (1_050, 1_051, Passed);
        assert_eq!(judge(&[one; 5]).wrongly_passed, [4]);
        // Four of the window before count as two in its middle.
        let next = (1_150, 1_151, Passed);
        assert_eq!(judge(&[one, one, one, one, next, next, next]).wrongly_passed, [6]);
    }

    #[test]
    fn a_refusal_within_the_quota_is_found() {
        let (passed, refused) = ((1_050, 1_051, Passed), (1_052, 1_053, Refused));
        assert_eq!(judge(&[passed, passed, refused]).wrongly_refused, [2]);
        // The second may be refused because the first is not yet subtracted.
        assert_eq!(judge(&[passed, passed, passed, refused, refused]).wrongly_refused, [3]);
    }

    #[test]
    fn nothing_is_said_about_requests_whose_window_is_unknown() {
        let slow = (1_050, 1_150, Passed);
        assert_eq!(judge(&[slow; 9]), Verdict::default());
        assert_eq!(judge(&[(1_150, 1_151, Uncounted); 9]), Verdict::default());
    }
}
