//! A resource that checks fencing tokens, as a file server or a database would do.
use std::sync::Mutex;

/// A counter that clients increment by reading it and writing the value plus one. Each access has a fencing token. An
/// access is refused if there was one with a higher fencing token before.
#[derive(Debug, Default)]
pub struct Counter(Mutex<State>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub value: u64,
    pub highest: u64,
    /// Writes that were not refused.
    pub writes: u64,
}

impl Counter {
    /// The value, unless there was a higher fencing token before. From now on lower ones are refused, because otherwise
    /// one of them could write between this read and the write that follows it.
    pub fn read(&self, fence: u64) -> Option<u64> {
        let mut state = self.0.lock().unwrap();
        state.admits(fence).then_some(state.value)
    }

    /// Writes the value; false if there was a higher fencing token before.
    pub fn write(&self, fence: u64, value: u64) -> bool {
        let mut state = self.0.lock().unwrap();
        let admitted = state.admits(fence);
        if admitted {
            state.value = value;
            state.writes += 1;
        }
        admitted
    }

    pub fn state(&self) -> State {
        *self.0.lock().unwrap()
    }
}

impl State {
    fn admits(&mut self, fence: u64) -> bool {
        let admitted = fence >= self.highest;
        self.highest = self.highest.max(fence);
        admitted
    }
}

#[test]
fn a_fencing_token_is_refused_after_a_higher_one() {
    let counter = Counter::default();
    assert_eq!(counter.read(5), Some(0));
    assert!(counter.write(5, 1));
    assert_eq!(counter.read(7), Some(1));
    assert!(!counter.write(5, 2), "7 has read it");
    assert_eq!(counter.read(6), None);
    assert!(counter.write(7, 2));
    assert_eq!(counter.state(), State { value: 2, highest: 7, writes: 2 });
}
