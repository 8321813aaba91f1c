//! The checker for stale reads: takes what the clients did and saw, and finds violations of the cache's first
//! invariant.
//!
//! A read that starts after a write was acknowledged never returns anything older. The clients measure the times: a
//! read starts before its request is sent, and a write ends after its response has arrived. So everything found here is
//! a violation. A write without a response promises nothing.
use std::collections::HashMap;

/// A point in time, in nanoseconds of one monotonic clock.
pub type Moment = u64;

/// The state of a resource, in the order of its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Not yet created.
    Absent,
    /// It exists in this version.
    Version(u64),
    /// Deleted. Its id is never used again.
    Deleted,
}

/// An acknowledged write, or the start of a deletion.
#[derive(Clone, Copy, Debug)]
struct Write {
    end: Moment,
    state: State,
}

/// What one read saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// The resource.
    pub key: i64,
    /// When the request was about to be sent.
    pub start: Moment,
    /// When the response had arrived.
    pub end: Moment,
    /// The version in the response, or `None` if the resource was not found.
    pub version: Option<u64>,
}

/// A read that returned something older than a write that had been acknowledged before the read started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The read.
    pub read: Read,
    /// The newest state that had been acknowledged when it started.
    pub acknowledged: State,
    /// How long before the start of the read that was acknowledged, in nanoseconds.
    pub age: Moment,
}

/// What clients did and saw. Each client has one, and they are merged at the end.
#[derive(Debug, Default)]
pub struct History {
    writes: HashMap<i64, Vec<Write>>,
    deletions: HashMap<i64, Moment>,
    reads: Vec<Read>,
}

impl History {
    /// A write that made `version` of `key` was acknowledged at `end`.
    pub fn acknowledge(&mut self, key: i64, version: u64, end: Moment) {
        self.writes.entry(key).or_default().push(Write { end, state: State::Version(version) });
    }

    /// A deletion of `key` is about to be sent: from now on the resource may be absent.
    pub fn begin_deletion(&mut self, key: i64, start: Moment) {
        self.deletions.entry(key).and_modify(|earlier| *earlier = start.min(*earlier)).or_insert(start);
    }

    /// The deletion of `key` was acknowledged at `end`.
    pub fn acknowledge_deletion(&mut self, key: i64, end: Moment) {
        self.writes.entry(key).or_default().push(Write { end, state: State::Deleted });
    }

    /// A read got its response.
    pub fn read(&mut self, read: Read) {
        self.reads.push(read);
    }

    /// Adds the history of another client.
    pub fn merge(&mut self, other: Self) {
        for (key, writes) in other.writes {
            self.writes.entry(key).or_default().extend(writes);
        }
        for (key, start) in other.deletions {
            self.begin_deletion(key, start);
        }
        self.reads.extend(other.reads);
    }

    /// The newest state of each resource that was acknowledged.
    pub fn acknowledged(&self) -> HashMap<i64, State> {
        let newest = |writes: &Vec<Write>| writes.iter().map(|write| write.state).max();
        self.writes.iter().filter_map(|(key, writes)| Some((*key, newest(writes)?))).collect()
    }

    /// Whether a deletion was sent, so that the resource may be absent.
    pub fn may_be_deleted(&self, key: i64) -> bool {
        self.deletions.contains_key(&key)
    }

    /// Forgets what later reads do not need: all reads so far, and all writes but the newest of each resource. Nothing
    /// must be in progress.
    pub fn forget(&mut self) {
        self.reads.clear();
        for writes in self.writes.values_mut() {
            *writes = floor(writes).pop().into_iter().collect();
        }
    }

    /// How many resources were read.
    pub fn reads(&self) -> usize {
        self.reads.len()
    }

    /// All violations, in the order of the reads.
    pub fn violations(&self) -> Vec<Violation> {
        let floors: HashMap<i64, Vec<Write>> = self.writes.iter().map(|(key, writes)| (*key, floor(writes))).collect();
        let check = |read: &Read| {
            let floor = floors.get(&read.key)?;
            // A write that ended at the time of the start does not count: the order is unknown.
            let newest = floor[..floor.partition_point(|write| write.end < read.start)].last()?;
            let stale = self.seen(read) < newest.state;
            stale.then(|| Violation { read: *read, acknowledged: newest.state, age: read.start - newest.end })
        };
        self.reads.iter().filter_map(check).collect()
    }

    /// The newest state that can explain what a read returned.
    fn seen(&self, read: &Read) -> State {
        match read.version {
            Some(version) => State::Version(version),
            None if self.deletions.get(&read.key).is_some_and(|start| *start < read.end) => State::Deleted,
            None => State::Absent,
        }
    }
}

/// The newest acknowledged state at the end of each write, in order of time.
fn floor(writes: &[Write]) -> Vec<Write> {
    let mut floor = writes.to_vec();
    floor.sort_by_key(|write| write.end);
    let mut newest = State::Absent;
    for write in &mut floor {
        newest = newest.max(write.state);
        write.state = newest;
    }
    floor
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(start: Moment, end: Moment, version: Option<u64>) -> Read {
        Read { key: 1, start, end, version }
    }

    /// Version 1 acknowledged at 10, version 3 at 20, version 2 (slower) at 30.
    fn history(reads: &[Read]) -> History {
        let mut history = History::default();
        history.acknowledge(1, 1, 10);
        history.acknowledge(1, 2, 30);
        let mut other = History::default();
        other.acknowledge(1, 3, 20);
        reads.iter().for_each(|read| other.read(*read));
        history.merge(other);
        history
    }

    #[test]
    fn fresh_reads_are_no_violation() {
        let fresh = [
            read(5, 40, None),     // started before anything was acknowledged
            read(15, 40, Some(1)), // started before 3 was acknowledged, although it ended later
            read(15, 16, Some(3)), // saw a write that was not acknowledged yet
            read(20, 21, Some(1)), // started at the time of the acknowledgement
            read(21, 22, Some(3)),
            read(99, 100, Some(7)), // a write without a response
        ];
        assert_eq!(history(&fresh).violations(), []);
    }

    #[test]
    fn a_stale_read_is_found() {
        let stale = read(21, 22, Some(1));
        let found = history(&[read(15, 16, Some(1)), stale]).violations();
        assert_eq!(found, [Violation { read: stale, acknowledged: State::Version(3), age: 1 }]);
    }

    #[test]
    fn a_late_acknowledgement_of_an_older_version_changes_nothing() {
        let found = history(&[read(31, 32, Some(2))]).violations();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].acknowledged, State::Version(3));
    }

    #[test]
    fn an_absence_after_the_creation_is_stale() {
        assert_eq!(history(&[read(11, 12, None)]).violations().len(), 1);
    }

    #[test]
    fn a_resource_can_be_absent_after_its_deletion_began_and_must_be_after_its_acknowledgement() {
        let reads = [
            read(41, 42, Some(3)), // before the deletion
            read(41, 51, None),    // ended while it was in progress
            read(51, 52, Some(3)),
            read(61, 62, None), // after the deletion
        ];
        let mut fresh = history(&reads);
        fresh.begin_deletion(1, 50);
        fresh.acknowledge_deletion(1, 60);
        assert_eq!(fresh.violations(), []);

        let mut stale = history(&[read(41, 42, None), read(61, 62, Some(3))]);
        stale.begin_deletion(1, 50);
        stale.acknowledge_deletion(1, 60);
        assert_eq!(stale.violations().len(), 2);
    }

    #[test]
    fn what_was_acknowledged_is_found_after_the_rest_is_forgotten() {
        let mut history = history(&[read(21, 22, Some(1))]);
        history.begin_deletion(2, 40);
        history.forget();
        assert_eq!((history.reads(), history.violations()), (0, vec![]));
        assert_eq!(history.acknowledged(), HashMap::from([(1, State::Version(3))]));
        assert!(history.may_be_deleted(2) && !history.may_be_deleted(1));
        history.read(read(31, 32, Some(2)));
        assert_eq!(history.violations().len(), 1);
    }

    #[test]
    fn resources_are_kept_apart() {
        let mut history = history(&[]);
        history.read(Read { key: 2, start: 50, end: 51, version: None });
        assert_eq!(history.violations(), []);
    }
}
