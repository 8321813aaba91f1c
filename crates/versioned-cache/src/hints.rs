//! What this instance saw last: lets a hit fetch version and entry in one round trip.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::basis::Basis;
use crate::place::Place;

/// Entries remembered at most; beyond that all are forgotten, which costs each of them one extra round trip.
const CAPACITY: usize = 16_384;

/// The basis that an entry was last seen on, and when the entry on it will end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hint {
    pub basis: Basis,
    /// Monotonic time in ms.
    pub expires_ms: u64,
}

/// Hints by entry. A hint may be wrong: it only chooses which key is asked for.
#[derive(Debug, Default)]
pub(crate) struct Hints(RefCell<HashMap<Place, Hint>>);

impl Hints {
    pub(crate) fn get(&self, place: &Place) -> Option<Hint> {
        self.0.borrow().get(place).copied()
    }

    pub(crate) fn set(&self, place: Place, hint: Hint) {
        let mut hints = self.0.borrow_mut();
        if hints.len() >= CAPACITY && !hints.contains_key(&place) {
            hints.clear();
        }
        hints.insert(place, hint);
    }
}
