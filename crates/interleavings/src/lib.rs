//! Trying the interleavings of requests in a simulated world: all of them ([`exhaust`]), or some at random ([`walk`]).
//!
//! An execution (futures half-way through) cannot be copied, so the search repeats the path to a state whenever it needs
//! that state again, and remembers digests of the states it has been in (stateless model checking with state hashing, as
//! in Godefroid's VeriSoft).
//!
//! For the worlds: how their tasks wait ([`wait`]), and the transactions of a simulated Redis ([`Transactions`]).

mod transactions;
mod waiting;

use std::collections::HashSet;

pub use transactions::{ConnectionId, Heard, Lax, Transactions};
pub use waiting::{Stage, StepId, Steps, Wait, wait};

/// Requests under way in a world of their own. The same actions from the beginning lead to the same state.
pub trait Execution {
    /// A step of a request, or a fault.
    type Action: Clone;

    /// What may happen next. Nothing: it is over.
    fn enabled(&self) -> Vec<Self::Action>;

    /// Whether an action is a request's step rather than a fault.
    fn is_step(action: &Self::Action) -> bool;

    /// Lets something happen.
    fn apply(&mut self, action: &Self::Action);

    /// Which invariant is broken, in words.
    fn violation(&self) -> Option<String>;

    /// A digest of everything that the future depends on.
    fn digest(&self) -> u64;
}

/// A broken invariant, and what led to it from the beginning.
pub type Violation<A> = (String, Vec<A>);

/// What an exploration came to.
#[derive(Debug)]
pub struct Report<A> {
    /// Different states.
    pub states: usize,
    /// Actions tried.
    pub steps: u64,
    /// The first violation.
    pub violation: Option<Violation<A>>,
}

/// Tries all interleavings from what `begin` begins, with all faults at all times, up to the first violation.
pub fn exhaust<E: Execution>(begin: impl Fn() -> E) -> Report<E::Action> {
    let first = begin();
    let mut search = Search { begin, seen: HashSet::new(), steps: 0, path: Vec::new() };
    let violation = search.from(first);
    Report { states: search.seen.len(), steps: search.steps, violation: violation.map(|what| (what, search.path)) }
}

struct Search<A, F> {
    begin: F,
    seen: HashSet<u64>,
    steps: u64,
    path: Vec<A>,
}

impl<A: Clone, F> Search<A, F> {
    fn from<E: Execution<Action = A>>(&mut self, execution: E) -> Option<String>
    where
        F: Fn() -> E,
    {
        if !self.seen.insert(execution.digest()) {
            return None;
        }
        let actions = execution.enabled();
        let mut here = Some(execution);
        for (at, action) in actions.iter().enumerate() {
            let last = at + 1 == actions.len();
            let next = if last { here.take() } else { None };
            let mut next = next.unwrap_or_else(|| self.replay());
            next.apply(action);
            self.steps += 1;
            self.path.push(action.clone());
            let violation = next.violation().or_else(|| self.from(next));
            if violation.is_some() {
                return violation;
            }
            self.path.pop();
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

/// One walk with random choices, which `seed` repeats; the violation, if it comes upon one.
pub fn walk<E: Execution>(mut execution: E, seed: u64) -> Option<Violation<E::Action>> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut path = Vec::new();
    loop {
        let (steps, faults): (Vec<_>, Vec<_>) = execution.enabled().into_iter().partition(|action| E::is_step(action));
        if steps.is_empty() {
            return None;
        }
        // Faults come now and then, not at every turn; else nothing would ever get done.
        let among = if !faults.is_empty() && random.u32(..12) == 0 { &faults } else { &steps };
        let action = among[random.usize(..among.len())].clone();
        execution.apply(&action);
        path.push(action);
        if let Some(what) = execution.violation() {
            return Some((what, path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two tasks add 1 to a number: read, then write what was read and 1.
    struct Lost {
        number: u32,
        read: [Option<u32>; 2],
        done: [bool; 2],
    }

    impl Execution for Lost {
        type Action = usize;

        fn enabled(&self) -> Vec<usize> {
            (0..2).filter(|task| !self.done[*task]).collect()
        }

        fn is_step(_: &usize) -> bool {
            true
        }

        fn apply(&mut self, task: &usize) {
            match self.read[*task] {
                None => self.read[*task] = Some(self.number),
                Some(read) => (self.number, self.done[*task]) = (read + 1, true),
            }
        }

        fn violation(&self) -> Option<String> {
            (self.done == [true; 2] && self.number < 2).then(|| "an update is lost".to_owned())
        }

        fn digest(&self) -> u64 {
            let of = |read: Option<u32>| u64::from(read.map_or(3, |read| read));
            u64::from(self.number)
                | of(self.read[0]) << 8
                | of(self.read[1]) << 16
                | u64::from(self.done[0]) << 24
                | u64::from(self.done[1]) << 25
        }
    }

    fn begin() -> Lost {
        Lost { number: 0, read: [None; 2], done: [false; 2] }
    }

    #[test]
    fn the_classical_lost_update_is_found_and_can_be_repeated() {
        let (what, path) = exhaust(begin).violation.expect("there is one");
        assert_eq!(what, "an update is lost");
        let mut again = begin();
        path.iter().for_each(|task| again.apply(task));
        assert_eq!(again.violation(), Some(what));
        let found = (0..20).find_map(|seed| walk(begin(), seed)).expect("20 walks come upon it");
        assert_eq!(found.1.len(), 4);
    }
}
