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
//!
//! Two actions that touch different things lead to the same state in either order. If an execution says what its
//! actions touch ([`Execution::footprint`]), the search tries one of the two orders. It still visits every state, but
//! takes fewer ways to it (sleep sets with state caching; see Godefroid, *Partial-Order Methods for the Verification of
//! Concurrent Systems*, 1996, chapter 5). [`Unreduced`] tries all orders: with it, a test shows that the footprints are
//! complete, because the number of states stays the same.

mod footprint;
mod search;
mod steps;
mod transactions;

pub use footprint::Footprint;
pub use search::{Report, Unreduced, explore};
pub use steps::{StepId, Stepper, Steps, Wait, wait};
pub use transactions::{ConnectionId, Defects, Handled, Transactions};

/// A world and its tasks, somewhere between their start and their end. Must be deterministic: the same actions from the
/// beginning lead to the same state.
pub trait Execution {
    /// A step of a task, or a fault.
    type Action: Clone + PartialEq;

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

    /// What the last action has read and changed: with it, what its task did until its next step. This includes what
    /// decides whether the action may happen. Without footprints the search takes longer.
    fn footprint(&mut self) -> Footprint {
        Footprint::everything()
    }
}

/// A description of the violated invariant, and the actions from the beginning that led to it.
pub type Violation<A> = (String, Vec<A>);

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

    /// Two numbers, each incremented by tasks of its own.
    struct Both {
        increments: [Increments; 2],
        footprint: Footprint,
    }

    impl Execution for Both {
        type Action = (usize, usize);

        fn enabled(&self) -> Vec<(usize, usize)> {
            (0..2)
                .flat_map(|number| self.increments[number].enabled().into_iter().map(move |it| (number, it)))
                .collect()
        }

        fn is_step(_: &(usize, usize)) -> bool {
            true
        }

        fn apply(&mut self, (number, task): &(usize, usize)) {
            self.footprint = Footprint::default();
            self.footprint.writes(("task", number, task));
            let increments = &mut self.increments[*number];
            match increments.read[*task] {
                None => self.footprint.reads(("number", number)),
                Some(_) => self.footprint.writes(("number", number)),
            }
            increments.apply(task);
        }

        fn violation(&self) -> Option<String> {
            self.increments[1].violation()
        }

        fn digest(&self) -> u64 {
            BuildHasherDefault::<DefaultHasher>::default().hash_one(&self.increments)
        }

        fn footprint(&mut self) -> Footprint {
            std::mem::take(&mut self.footprint)
        }
    }

    #[test]
    fn footprints_shorten_the_search_and_hide_nothing() {
        let both = || Both { increments: [begin(), begin()], footprint: Footprint::default() };
        let what = "an update is lost";
        assert_eq!(explore(both).violation.map(|it| it.0).as_deref(), Some(what));
        assert_eq!(explore(|| Unreduced(both())).violation.map(|it| it.0).as_deref(), Some(what));
        // Without the violation, the search goes on to its end.
        let correct = || {
            let mut both = both();
            (both.increments[1].number, both.increments[1].done[1]) = (1, true);
            both
        };
        let (some, all) = (explore(correct), explore(|| Unreduced(correct())));
        assert!(some.violation.is_none() && all.violation.is_none());
        assert_eq!(some.states, all.states);
        assert!(some.steps < all.steps, "{} of {} steps", some.steps, all.steps);
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
