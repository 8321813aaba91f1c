//! A resource that checks fencing numbers, as a file server or a database would: the last line of defence.

use std::sync::Mutex;

/// A counter that many increment by reading it and writing back one more. Each access shows the number of a grant; one
/// that is lower than any that was shown before is refused.
#[derive(Debug, Default)]
pub struct Counter(Mutex<State>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub value: u64,
    pub highest: u64,
    /// Writes that took effect.
    pub writes: u64,
}

impl Counter {
    /// The value, unless a higher number was there before. It is from now on refused to lower ones: otherwise one of them
    /// could still write between this read and the write that follows it.
    pub fn read(&self, fence: u64) -> Option<u64> {
        let mut state = self.0.lock().unwrap();
        state.admits(fence).then_some(state.value)
    }

    /// Writes the value; false if a higher number was there before.
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
fn a_lower_number_is_refused_once_a_higher_one_was_there() {
    let counter = Counter::default();
    assert_eq!(counter.read(5), Some(0));
    assert!(counter.write(5, 1));
    assert_eq!(counter.read(7), Some(1));
    assert!(!counter.write(5, 2), "it had been read by 7");
    assert_eq!(counter.read(6), None);
    assert!(counter.write(7, 2));
    assert_eq!(counter.state(), State { value: 2, highest: 7, writes: 2 });
}
