//! The memory that the requests of one instance share for what is large. An instance that takes more than its host allows
//! ends, with all of its requests: so those that need much say how much, and wait until there is room.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use redis_port::Runtime;
use spin_adapter::SpinRuntime;

/// All shares together, in bytes. An instance needs as much again for what takes no share (bodies that are being read,
/// single values) and for the gaps between: hosts should allow it 1 GiB.
const BYTES: usize = 384 * 1024 * 1024;
/// How often a request looks whether it is its turn.
const LOOK_MS: u64 = 1;

/// Memory to be shared.
#[derive(Clone, Debug)]
pub struct Memory(Rc<RefCell<State>>);

#[derive(Debug)]
struct State {
    free: usize,
    /// Who waits, in the order in which they came: a large share is not overtaken by small ones for ever.
    waiting: VecDeque<u64>,
    next: u64,
}

/// Some of it, until this is dropped.
#[derive(Debug)]
pub struct Share {
    memory: Memory,
    bytes: usize,
}

/// A place in the queue.
struct Turn<'a> {
    memory: &'a Memory,
    number: u64,
}

impl Default for Memory {
    /// All of it is free.
    fn default() -> Self {
        Self::of(BYTES)
    }
}

impl Memory {
    fn of(bytes: usize) -> Self {
        Self(Rc::new(RefCell::new(State { free: bytes, waiting: VecDeque::new(), next: 0 })))
    }

    /// A share of so many bytes; `None` if there is no room for it within `wait_ms`.
    pub async fn share(&self, bytes: usize, wait_ms: u64) -> Option<Share> {
        let turn = self.queue();
        let deadline = SpinRuntime.monotonic_ms() + wait_ms;
        loop {
            if let Some(share) = turn.take(bytes) {
                return Some(share);
            }
            if SpinRuntime.monotonic_ms() >= deadline {
                return None;
            }
            // Requests of one instance are tasks of their own, which cannot wake one another: so they look again.
            SpinRuntime.sleep(LOOK_MS).await;
        }
    }

    fn queue(&self) -> Turn<'_> {
        let mut state = self.0.borrow_mut();
        let number = state.next;
        state.next += 1;
        state.waiting.push_back(number);
        Turn { memory: self, number }
    }
}

impl Turn<'_> {
    fn take(&self, bytes: usize) -> Option<Share> {
        let mut state = self.memory.0.borrow_mut();
        if state.waiting.front() != Some(&self.number) || state.free < bytes {
            return None;
        }
        state.free -= bytes;
        Some(Share { memory: self.memory.clone(), bytes })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.memory.0.borrow_mut().waiting.retain(|number| *number != self.number);
    }
}

impl Share {
    /// Gives back all but so many bytes.
    pub fn shrink_to(&mut self, bytes: usize) {
        let unused = self.bytes.saturating_sub(bytes);
        self.bytes -= unused;
        self.memory.0.borrow_mut().free += unused;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(memory: &Memory, bytes: usize) -> Option<Share> {
        memory.queue().take(bytes)
    }

    #[test]
    fn no_more_is_given_than_there_is() {
        let memory = Memory::of(10);
        let mut first = take(&memory, 7).unwrap();
        assert!(take(&memory, 4).is_none());
        let second = take(&memory, 3).unwrap();
        first.shrink_to(5);
        first.shrink_to(6);
        assert!(take(&memory, 3).is_none());
        assert!(take(&memory, 2).is_some(), "and given back at once");
        drop((first, second));
        assert!(take(&memory, 10).is_some());
    }

    #[test]
    fn nobody_is_overtaken_but_by_those_who_gave_up() {
        let memory = Memory::of(10);
        let most = take(&memory, 8).unwrap();
        let (large, small) = (memory.queue(), memory.queue());
        assert!(large.take(5).is_none() && small.take(1).is_none());
        drop(large);
        assert!(small.take(1).is_some());
        drop((most, small));
        assert!(take(&memory, 10).is_some());
    }
}
