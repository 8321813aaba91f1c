//! The versions that this instance saw last, so that a hit fetches the versions and a scoped entry in one round trip.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::entry::{EntryId, Versions};

/// The maximum number of hints. Beyond it all are forgotten, which costs each entry one extra round trip.
const CAPACITY: usize = 16_384;

/// The versions that an entry was last seen with, and when the entry ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hint {
    pub versions: Versions,
    /// Monotonic time in ms; 0: not known.
    pub expires_ms: u64,
}

/// Hints by entry. A hint may be wrong: it only chooses which key is read.
#[derive(Debug, Default)]
pub(crate) struct Hints(RefCell<HashMap<EntryId, Hint>>);

impl Hints {
    pub(crate) fn get(&self, id: &EntryId) -> Option<Hint> {
        self.0.borrow().get(id).copied()
    }

    pub(crate) fn set(&self, id: &EntryId, hint: Hint) {
        let mut hints = self.0.borrow_mut();
        if let Some(known) = hints.get_mut(id) {
            *known = hint;
            return;
        }
        if hints.len() >= CAPACITY {
            hints.clear();
        }
        hints.insert(id.clone(), hint);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_memory_forgets_all_but_the_newest() {
        let hints = Hints::default();
        let id = |at: usize| EntryId::Named { path: at.to_string() };
        let hint = Hint { versions: Versions::test(1 << 61, 1), expires_ms: 5 };
        (0..CAPACITY).for_each(|at| hints.set(&id(at), hint));
        hints.set(&id(0), Hint { expires_ms: 6, ..hint });
        assert_eq!(hints.get(&id(0)).map(|hint| hint.expires_ms), Some(6));
        assert_eq!(hints.get(&id(CAPACITY - 1)), Some(hint), "replacing one needs no room");
        hints.set(&id(CAPACITY), hint);
        assert_eq!((hints.get(&id(0)), hints.get(&id(CAPACITY))), (None, Some(hint)));
    }
}
