//! A race detector for protocols: runs concurrent tasks against simulated servers in every possible order.
//!
//! Two tasks that each send a few commands to a server can be interleaved in many ways, and a race shows in only some
//! of them. Tests with threads or real servers meet those by chance. An *explorer* controls the order: each task is a
//! future that waits before every command, and the explorer decides which task may go on. It tries all orders
//! ([`explore`]) or, if there are too many, random ones ([`random_walk`]). It also injects faults, such as lost replies
//! and evicted keys, at every point. After each step it checks the invariants; for a violation it returns the path that
//! led to it, which can be replayed. loom and Shuttle do the same for threads and memory; here it is tasks and
//! commands.
//!
//! # Use in a test
//!
//! 1. Write the servers as a plain struct, the *world*: what each command changes and returns. [`Transactions`] does
//!    Redis's WATCH, MULTI and EXEC. The world contains [`Steps`] and implements [`Stepper`].
//! 2. Implement the ports of the code under test (its Redis, its database) with [`wait`], so that every command waits
//!    for the explorer.
//! 3. Implement [`Execution`] for the world with the tasks under test: what may happen next, how it happens, what must
//!    hold.
//! 4. Call [`explore`] and assert that there is no violation. Then weaken the protocol on purpose, one defence at a
//!    time, and assert that there is one: this shows that the explorer can find the race.
//!
//! `tests/explorer` of the crates `versioned-cache` and `token-lock` are examples.
//!
//! # How it searches
//!
//! Depth first. Futures cannot be cloned, so it replays the path from the beginning whenever it returns to a state. It
//! recognises states by [`Execution::digest`] and visits each only once (stateless model checking with state hashing;
//! see Godefroid, *Model checking for programming languages using VeriSoft*, 1997).

mod steps;
mod transactions;

use std::collections::HashSet;

pub use steps::{StepId, Stepper, Steps, Wait, wait};
pub use transactions::{ConnectionId, Defects, Handled, Transactions};

/// A world and its tasks, somewhere between their start and their end. Must be deterministic: the same actions from the
/// beginning lead to the same state.
pub trait Execution {
    /// A step of a task, or a fault.
    type Action: Clone;

    /// What may happen next; empty at the end.
    fn enabled(&self) -> Vec<Self::Action>;

    /// Whether an action is a step of a task, not a fault.
    fn is_step(action: &Self::Action) -> bool;

    /// Performs an action.
    fn apply(&mut self, action: &Self::Action);

    /// Describes the invariant that does not hold, if there is one.
    fn violation(&self) -> Option<String>;

    /// A hash of everything that can influence what happens later.
    fn digest(&self) -> u64;
}

/// A description of the violated invariant, and the actions from the beginning that led to it.
pub type Violation<A> = (String, Vec<A>);

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

/// Performs all sequences of actions from the state that `begin` creates, until the first violation.
pub fn explore<E: Execution>(begin: impl Fn() -> E) -> Report<E::Action> {
    let first = begin();
    let mut search = Search { begin, seen: HashSet::new(), steps: 0, path: Vec::new() };
    let violation = search.visit(first);
    Report { states: search.seen.len(), steps: search.steps, violation: violation.map(|what| (what, search.path)) }
}

struct Search<A, F> {
    begin: F,
    seen: HashSet<u64>,
    steps: u64,
    path: Vec<A>,
}

impl<A: Clone, F> Search<A, F> {
    fn visit<E: Execution<Action = A>>(&mut self, execution: E) -> Option<String>
    where
        F: Fn() -> E,
    {
        if !self.seen.insert(execution.digest()) {
            return None;
        }
        let actions = execution.enabled();
        let mut current = Some(execution);
        for (at, action) in actions.iter().enumerate() {
            // The last action needs no replay: nothing returns to this state.
            let last = at + 1 == actions.len();
            let next = if last { current.take() } else { None };
            let mut next = next.unwrap_or_else(|| self.replay());
            next.apply(action);
            self.steps += 1;
            self.path.push(action.clone());
            let violation = next.violation().or_else(|| self.visit(next));
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

/// Performs one random sequence of actions until no task can go on; returns the violation, if there is one. The same
/// `seed` gives the same sequence.
pub fn random_walk<E: Execution>(mut execution: E, seed: u64) -> Option<Violation<E::Action>> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut path = Vec::new();
    loop {
        let (steps, faults): (Vec<_>, Vec<_>) = execution.enabled().into_iter().partition(|action| E::is_step(action));
        if steps.is_empty() {
            return None;
        }
        // Faults are rare (1 in 12): otherwise the tasks get nowhere.
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
    use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

    use super::*;

    /// Two tasks increment a number without a lock: each reads it, then writes the incremented value.
    #[derive(Hash)]
    struct Increments {
        number: u32,
        read: [Option<u32>; 2],
        done: [bool; 2],
    }

    impl Execution for Increments {
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
            BuildHasherDefault::<DefaultHasher>::default().hash_one(self)
        }
    }

    fn begin() -> Increments {
        Increments { number: 0, read: [None; 2], done: [false; 2] }
    }

    #[test]
    fn a_lost_update_is_found_and_can_be_replayed() {
        let (what, path) = explore(begin).violation.expect("there is one");
        assert_eq!(what, "an update is lost");
        let mut again = begin();
        path.iter().for_each(|task| again.apply(task));
        assert_eq!(again.violation(), Some(what));
        let found = (0..20).find_map(|seed| random_walk(begin(), seed)).expect("one of 20 walks finds it");
        assert_eq!(found.1.len(), 4);
    }
}
