//! What this instance saw last: lets a hit fetch version and entry in one round trip.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::key::Identity;
use crate::version::Version;

/// Entries remembered at most; beyond that all are forgotten, which costs each of them one extra round trip.
const CAPACITY: usize = 16_384;

/// The last version seen of an entry, and when the entry under it will end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hint {
    pub version: Version,
    /// Monotonic time in ms.
    pub expires_ms: u64,
}

/// Hints by entry identity. A hint may be wrong: it only chooses which key is asked for.
#[derive(Debug, Default)]
pub(crate) struct Hints(RefCell<HashMap<Identity, Hint>>);

impl Hints {
    pub(crate) fn get(&self, identity: &Identity) -> Option<Hint> {
        self.0.borrow().get(identity).copied()
    }

    pub(crate) fn set(&self, identity: Identity, hint: Hint) {
        let mut hints = self.0.borrow_mut();
        if hints.len() >= CAPACITY && !hints.contains_key(&identity) {
            hints.clear();
        }
        hints.insert(identity, hint);
    }
}
