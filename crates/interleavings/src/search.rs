//! The exhaustive search.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::rc::Rc;

use crate::{Execution, Footprint, Violation};

/// The result of [`explore`].
#[derive(Debug)]
pub struct Report<A> {
    /// The number of different states.
    pub states: usize,
    /// The number of actions performed, without replays.
    pub steps: u64,
    /// The first violation.
    pub violation: Option<Violation<A>>,
}

/// Visits all states that sequences of actions reach from the state that `begin` creates, until the first violation.
pub fn explore<E: Execution>(begin: impl Fn() -> E) -> Report<E::Action> {
    let first = begin();
    let mut search = Search { begin, seen: HashMap::new(), steps: 0, path: Vec::new() };
    let violation = search.visit(first, Vec::new());
    Report { states: search.seen.len(), steps: search.steps, violation: violation.map(|what| (what, search.path)) }
}

/// Actions that need not be performed in a state, each with its footprint. The search has performed each of them in an
/// earlier state, and all actions since then commute with it. So all that can follow was visited after it.
type Asleep<A> = Vec<(A, Rc<Footprint>)>;

struct Search<A, F> {
    begin: F,
    /// The states by their digests. Bit `n` of the value: the action `n` has always been asleep there.
    seen: HashMap<u64, u64>,
    steps: u64,
    path: Vec<A>,
}

impl<A: Clone + PartialEq, F> Search<A, F> {
    fn visit<E: Execution<Action = A>>(&mut self, execution: E, mut asleep: Asleep<A>) -> Option<String>
    where
        F: Fn() -> E,
    {
        let actions = execution.enabled();
        let bit = |action: &A| actions.iter().take(64).position(|other| other == action).map_or(0, |at| 1_u64 << at);
        let sleeping = asleep.iter().fold(0, |bits, (action, _)| bits | bit(action));
        // Whoever comes to a state again makes up for what all earlier visits left out, unless it is asleep once more.
        let (is_first, now, still) = match self.seen.entry(execution.digest()) {
            Entry::Vacant(new) => (true, !sleeping, *new.insert(sleeping)),
            Entry::Occupied(mut old) => {
                let before = *old.get();
                *old.get_mut() &= sleeping;
                (false, before & !sleeping, before & sleeping)
            }
        };
        asleep.retain(|(action, _)| bit(action) & still != 0);
        let performed = |at: usize| if at < 64 { now >> at & 1 == 1 } else { is_first };
        let last = (0..actions.len()).rev().find(|at| performed(*at));
        let mut current = Some(execution);
        for at in (0..actions.len()).filter(|at| performed(*at)) {
            let action = &actions[at];
            // The last action needs no replay: nothing returns to this state.
            let next = if Some(at) == last { current.take() } else { None };
            let mut next = next.unwrap_or_else(|| self.replay());
            next.apply(action);
            self.steps += 1;
            self.path.push(action.clone());
            let footprint = Rc::new(next.footprint());
            let commuting = asleep.iter().filter(|(_, other)| !other.conflicts(&footprint)).cloned().collect();
            let violation = next.violation().or_else(|| self.visit(next, commuting));
            if violation.is_some() {
                return violation;
            }
            self.path.pop();
            asleep.push((action.clone(), footprint));
        }
        None
    }

    fn replay<E: Execution<Action = A>>(&self) -> E
    where
        F: Fn() -> E,
    {
        let mut execution = (self.begin)();
        self.path.iter().for_each(|action| execution.apply(action));
        execution
    }
}

/// An execution whose actions never commute, so that [`explore`] tries all orders. For tests that compare the two.
pub struct Unreduced<E>(pub E);

impl<E: Execution> Execution for Unreduced<E> {
    type Action = E::Action;

    fn enabled(&self) -> Vec<E::Action> {
        self.0.enabled()
    }

    fn is_step(action: &E::Action) -> bool {
        E::is_step(action)
    }

    fn apply(&mut self, action: &E::Action) {
        self.0.apply(action);
    }

    fn violation(&self) -> Option<String> {
        self.0.violation()
    }

    fn digest(&self) -> u64 {
        self.0.digest()
    }
}
