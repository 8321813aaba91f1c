//! What an instance remembers of the counters, so that it refuses most requests of a flood without asking Redis.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::window::{Moment, Usage};

/// How many clients an instance remembers at most; a client counts once for each of its classes. The number is limited
/// because one attacker may use many addresses. A request of a client that was forgotten costs one round trip.
pub const MEMORY_MAX: usize = 2_048;

/// The counter of the previous window is *settled*, which means that it no longer changes, after a tenth of the current
/// window, but at the latest after a second. Until then, instances with slower clocks may add to it, and late
/// subtractions may arrive.
const SETTLED_AFTER: u64 = 10;
const SETTLED_AFTER_MS: u64 = 1_000;

/// The last known counters of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) window: u64,
    pub(crate) usage: Usage,
    /// Whether `usage.previous` was read after that counter had settled.
    pub(crate) is_previous_settled: bool,
}

impl Known {
    /// What Redis replied at this moment.
    pub(crate) fn read(at: Moment, usage: Usage) -> Self {
        let settled_ms = (at.policy.window_ms() / SETTLED_AFTER).min(SETTLED_AFTER_MS);
        Self { window: at.window, usage, is_previous_settled: at.elapsed_ms >= settled_ms }
    }

    /// Nothing is known of this window, so zeros are assumed.
    fn nothing(window: u64) -> Self {
        Self { window, usage: Usage::default(), is_previous_settled: false }
    }

    /// What this says about a later moment. Counts only grow within a window, so the real ones are not smaller.
    fn at(self, now: Moment) -> Self {
        let nothing = Self::nothing(now.window);
        match now.window.checked_sub(self.window) {
            Some(0) => self,
            Some(1) => Self { usage: Usage { previous: self.usage.current, current: 0 }, ..nothing },
            _ => nothing,
        }
    }
}

/// The counters of many clients, in two halves. New counts go into the young half. When it is full, it becomes the old
/// half, and what was in the old one is forgotten: clients that have not come for a long time.
#[derive(Default)]
pub(crate) struct Memory(RefCell<Halves>);

#[derive(Default)]
struct Halves {
    young: HashMap<String, Known>,
    old: HashMap<String, Known>,
}

impl Memory {
    /// What is known of a client at this moment.
    pub(crate) fn get(&self, client: &str, now: Moment) -> Known {
        let halves = self.0.borrow();
        let known = halves.young.get(client).or_else(|| halves.old.get(client));
        known.map_or(Known::nothing(now.window), |known| known.at(now))
    }

    pub(crate) fn set(&self, client: String, known: Known) {
        let mut halves = self.0.borrow_mut();
        if halves.young.len() >= MEMORY_MAX / 2 && !halves.young.contains_key(&client) {
            halves.old = std::mem::take(&mut halves.young);
        }
        halves.young.insert(client, known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    fn at(unix_ms: u64) -> Moment {
        Moment::new(Policy::new(10, 1_000).expect("valid"), unix_ms)
    }

    #[test]
    fn the_count_of_a_window_is_the_previous_one_in_the_next() {
        let memory = Memory::default();
        memory.set("a".to_owned(), Known::read(at(5_500), Usage { previous: 3, current: 7 }));
        assert_eq!(memory.get("a", at(5_900)).usage, Usage { previous: 3, current: 7 });
        assert!(memory.get("a", at(5_900)).is_previous_settled);
        assert_eq!(memory.get("a", at(6_000)).usage, Usage { previous: 7, current: 0 });
        assert!(!memory.get("a", at(6_900)).is_previous_settled, "others may have added to it");
        for other in [at(7_000), at(4_999), at(60_000)] {
            assert_eq!(memory.get("a", other).usage, Usage::default(), "{other:?}");
        }
        assert_eq!(memory.get("b", at(5_900)).usage, Usage::default());
        assert!(!memory.get("b", at(5_900)).is_previous_settled);
    }

    #[test]
    fn a_previous_count_is_settled_some_time_after_the_window_began() {
        assert!(!Known::read(at(5_099), Usage::default()).is_previous_settled);
        assert!(Known::read(at(5_100), Usage::default()).is_previous_settled);
        let long = Policy::new(10, 3_600_000).expect("valid");
        assert!(!Known::read(Moment::new(long, 999), Usage::default()).is_previous_settled);
        assert!(Known::read(Moment::new(long, 1_000), Usage::default()).is_previous_settled);
    }

    #[test]
    fn the_memory_is_bounded_and_keeps_those_who_come_often() {
        let memory = Memory::default();
        let known = Known::read(at(5_500), Usage { previous: 0, current: 7 });
        for number in 0..10 * MEMORY_MAX {
            memory.set(number.to_string(), known);
            memory.set("often".to_owned(), known);
        }
        let halves = memory.0.borrow();
        assert!(halves.young.len() + halves.old.len() <= MEMORY_MAX);
        drop(halves);
        assert_eq!(memory.get("often", at(5_600)), known);
        assert_eq!(memory.get("0", at(5_600)).usage, Usage::default());
    }
}
