//! The checker for locks: what the clients were granted and when, and the violations in it.
//!
//! The clients measure the times with the same clock: a grant begins when its response has arrived, and ends when the
//! client requests the release, or at `expiresAt`. So everything found here is a violation.

/// A point in time, in microseconds since the Unix epoch.
pub type Moment = u64;

/// One grant, as its holder saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// When the request was about to be sent.
    pub asked: Moment,
    /// When the response had arrived.
    pub granted: Moment,
    /// When the holder stopped relying on the lock: it requested the release, or the time had passed.
    pub until: Moment,
    /// The fencing token.
    pub fence: u64,
    /// The response to the release said that the lock had been this holder's until then.
    pub removed: bool,
    /// When the resource refused the holder, although the lock had not expired.
    pub refused: Option<Moment>,
}

/// A broken invariant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// The second was granted while the first was still valid.
    TwoHolders(Hold, Hold),
    /// The second was requested after the first had been granted, and its fencing token is not greater.
    NotGreater(Hold, Hold),
    /// The resource had seen a higher fencing token while this holder was still valid.
    ValidButRefused(Hold),
    /// The response to the first said that it had held the lock until its release, but the second had been granted
    /// before.
    Removed(Hold, Hold),
}

/// The grants of all clients.
#[derive(Debug, Default)]
pub struct Ledger {
    pub holds: Vec<Hold>,
    /// When Redis was killed, and when it was restarted. All grants from before are lost.
    pub restarts: Vec<(Moment, Moment)>,
}

impl Ledger {
    /// All violations, and the number of pairs of holders that a restart explains.
    pub fn check(&self) -> (Vec<Violation>, usize) {
        let mut violations = Vec::new();
        let mut explained = 0;
        for first in &self.holds {
            for second in &self.holds {
                // A response that arrived too late made nobody a holder.
                let both = second.granted < first.until && second.granted < second.until;
                if both && (first.granted, first.fence) < (second.granted, second.fence) {
                    if self.was_lost(first.asked, second.granted) {
                        explained += 1;
                    } else {
                        violations.push(Violation::TwoHolders(*first, *second));
                    }
                }
                if first.granted < second.asked && first.fence >= second.fence {
                    violations.push(Violation::NotGreater(*first, *second));
                }
                if first.removed && first.granted < second.asked && second.granted < first.until {
                    violations.push(Violation::Removed(*first, *second));
                }
            }
            if first.refused.is_some_and(|refused| !self.was_lost(first.asked, refused)) {
                violations.push(Violation::ValidButRefused(*first));
            }
        }
        (violations, explained)
    }

    /// Whether Redis lost its data at some time between `from` and `to`.
    fn was_lost(&self, from: Moment, to: Moment) -> bool {
        self.restarts.iter().any(|(killed, back)| *killed <= to && from <= *back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(asked: Moment, granted: Moment, until: Moment, fence: u64) -> Hold {
        Hold { asked, granted, until, fence, removed: false, refused: None }
    }

    fn check(holds: &[Hold], restarts: &[(Moment, Moment)]) -> (Vec<Violation>, usize) {
        Ledger { holds: holds.to_vec(), restarts: restarts.to_vec() }.check()
    }

    #[test]
    fn consecutive_holders_are_no_violation() {
        let holds = [hold(0, 10, 20, 1), hold(5, 20, 30, 2), hold(31, 32, 32, 3), hold(1, 33, 34, 9)];
        assert_eq!(check(&holds, &[]), (vec![], 0));
    }

    #[test]
    fn two_holders_are_found_unless_a_restart_explains_them() {
        let (first, second) = (hold(0, 10, 30, 1), hold(5, 20, 40, 2));
        assert_eq!(check(&[second, first], &[]), (vec![Violation::TwoHolders(first, second)], 0));
        assert_eq!(check(&[first, second], &[(12, 15)]), (vec![], 1));
        assert_eq!(check(&[first, second], &[(21, 25)]).0.len(), 1, "Redis was killed only afterwards");
        assert_eq!(
            check(&[first, hold(5, 20, 18, 2)], &[]),
            (vec![], 0),
            "the response to the second arrived too late"
        );
    }

    #[test]
    fn a_fencing_token_that_does_not_increase_is_found() {
        for number in [5, 7] {
            let (first, second) = (hold(0, 10, 20, 7), hold(30, 40, 50, number));
            assert_eq!(check(&[first, second], &[(21, 25)]).0, [Violation::NotGreater(first, second)]);
        }
        // The order of two requests that overlap is unknown.
        assert_eq!(check(&[hold(0, 10, 20, 7), hold(9, 40, 50, 5)], &[]).0, []);
    }

    #[test]
    fn a_refused_valid_holder_and_a_wrong_release_are_found() {
        let refused = Hold { refused: Some(15), ..hold(0, 10, 20, 1) };
        assert_eq!(check(&[refused], &[]).0, [Violation::ValidButRefused(refused)]);
        assert_eq!(check(&[refused], &[(12, 14)]).0, []);
        let reported = Hold { removed: true, ..hold(0, 10, 50, 1) };
        let next = hold(12, 20, 30, 2);
        assert!(check(&[reported, next], &[(13, 14)]).0.contains(&Violation::Removed(reported, next)));
    }
}
