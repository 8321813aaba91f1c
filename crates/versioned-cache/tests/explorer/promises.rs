//! What a read may return: it depends on what was written, set and removed, and acknowledged, before the read began.

use std::collections::{BTreeMap, BTreeSet};

/// Values that are set are greater than this, and each is greater than the one before. The row's values are smaller.
const SET: u64 = 1_000;

/// A set under way.
#[derive(Clone, Debug, Hash)]
struct Setting {
    value: u64,
    /// Another set was under way at the same time: either may come last.
    overlapped: bool,
    /// A removal was under way at the same time.
    disturbed: bool,
}

/// The least that a read may return.
#[derive(Clone, Debug, Default, Hash)]
struct Floor {
    row: u64,
    set: Option<u64>,
    removed: BTreeSet<u64>,
}

#[derive(Clone, Debug, Default, Hash)]
pub struct Promises {
    /// See [`Rules::acknowledged_only`](crate::world::Rules).
    acknowledged_only: bool,
    /// The largest acknowledged value of the row, if `acknowledged_only`.
    acknowledged: u64,
    /// The entry has this value or one that was set later; `None`: something may have removed it.
    set: Option<u64>,
    /// The number of sets that have begun.
    sets: u64,
    /// Values whose set was acknowledged before a removal began, and whose removal was acknowledged.
    removed: BTreeSet<u64>,
    /// Values whose set was acknowledged, and whose removal was not.
    kept: BTreeSet<u64>,
    setting: BTreeMap<usize, Setting>,
    /// For each task, the value of `kept` when its removal began.
    removing: BTreeMap<usize, BTreeSet<u64>>,
    reading: BTreeMap<usize, Floor>,
}

impl Promises {
    pub fn new(acknowledged_only: bool) -> Self {
        Self { acknowledged_only, ..Self::default() }
    }

    /// A write of the row was acknowledged.
    pub fn written(&mut self, value: u64) {
        self.acknowledged = self.acknowledged.max(value);
    }

    /// A task begins to set the entry; returns the value that it sets.
    pub fn set_begins(&mut self, task: usize) -> u64 {
        self.sets += 1;
        let value = SET + self.sets;
        let overlapped = !self.setting.is_empty();
        self.setting.values_mut().for_each(|other| other.overlapped = true);
        self.setting.insert(task, Setting { value, overlapped, disturbed: !self.removing.is_empty() });
        value
    }

    pub fn set_ends(&mut self, task: usize, acknowledged: bool) {
        let Some(setting) = self.setting.remove(&task) else { return };
        if acknowledged {
            self.kept.insert(setting.value);
            if !setting.disturbed {
                self.set = Some(if setting.overlapped { SET } else { setting.value });
            }
        }
    }

    pub fn removal_begins(&mut self, task: usize) {
        self.removing.insert(task, self.kept.clone());
        self.disturb();
    }

    pub fn removal_ends(&mut self, task: usize, acknowledged: bool) {
        let Some(removed) = self.removing.remove(&task) else { return };
        if acknowledged {
            self.kept.retain(|value| !removed.contains(value));
            self.removed.extend(removed);
        }
    }

    /// Redis loses keys, or a removal begins. Returns whether anything has changed.
    pub fn disturb(&mut self) -> bool {
        let mut changes = self.set.take().is_some();
        self.setting.values_mut().for_each(|setting| changes |= !std::mem::replace(&mut setting.disturbed, true));
        self.reading.values_mut().for_each(|floor| changes |= floor.set.take().is_some());
        changes
    }

    /// A read begins, when the row has this value.
    pub fn read_begins(&mut self, task: usize, committed: u64) {
        let row = if self.acknowledged_only { self.acknowledged } else { committed };
        self.reading.insert(task, Floor { row, set: self.set, removed: self.removed.clone() });
    }

    /// A read has returned `value`. Returns what is wrong with that. A read that bypassed the cache need not see sets.
    pub fn read_ends(&mut self, task: usize, value: u64, bypassed: bool) -> Option<String> {
        let floor = self.reading.remove(&task).unwrap_or_default();
        if floor.removed.contains(&value) {
            return Some(format!("read {task} returned {value}, which was removed before it began"));
        }
        let set = floor.set.filter(|_| !bypassed);
        let least = set.unwrap_or(floor.row);
        (value < least).then(|| format!("read {task} returned {value}, but {least} was there before it began"))
    }

    /// A task has ended or was killed. A set or a removal that it had begun may still take effect at any time.
    pub fn forget(&mut self, task: usize) {
        self.reading.remove(&task);
    }
}
