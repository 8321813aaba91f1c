//! What an action reads and changes, to find out which actions commute.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};

/// The objects that an action reads and changes. An object is any value that can be hashed: a key, a task, a clock.
/// If it is not certain what an action reads and changes, name too many objects: that costs time but hides nothing.
#[derive(Clone, Debug, Default)]
pub struct Footprint {
    everything: bool,
    reads: Vec<u64>,
    writes: Vec<u64>,
}

impl Footprint {
    /// Of an action that commutes with no other.
    pub fn everything() -> Self {
        Self { everything: true, ..Self::default() }
    }

    /// Adds everything.
    pub fn add_everything(&mut self) {
        self.everything = true;
    }

    /// Adds an object that is read.
    pub fn reads(&mut self, object: impl Hash) {
        self.reads.push(hash(object));
    }

    /// Adds an object that is changed, and perhaps read before.
    pub fn writes(&mut self, object: impl Hash) {
        self.writes.push(hash(object));
    }

    /// Whether it contains an object.
    pub fn contains(&self, object: impl Hash) -> bool {
        let object = hash(object);
        self.everything || self.reads.contains(&object) || self.writes.contains(&object)
    }

    /// Whether the order of two actions matters: one of them changes what the other reads or changes.
    pub fn conflicts(&self, other: &Self) -> bool {
        let changes = |by: &Self, of: &Self| by.writes.iter().any(|it| of.writes.contains(it) || of.reads.contains(it));
        self.everything || other.everything || changes(self, other) || changes(other, self)
    }
}

fn hash(object: impl Hash) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(object)
}
