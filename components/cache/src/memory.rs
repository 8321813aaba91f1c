//! The memory that the requests of one instance share for what is large. An instance that takes more than its host allows
//! ends, with all of its requests: so those that need much say how much, and wait until there is room.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use ports::Runtime;
use spin_adapter::SpinRuntime;

/// What requests of many keys share, in bytes.
pub const MANY_KEYS: usize = 288 * MIB;
/// What keys that are being warmed share, in bytes: apart, since they are held for as long as an origin takes. An instance
/// needs as much again as both for what takes no share (bodies that are being read, single values), for small shares, and
/// for the gaps between: hosts should allow it 1 GiB.
pub const WARMING: usize = 96 * MIB;
/// Shares of up to so many bytes are given at once, whether there is room or not: they need no more than a request for one
/// key does, and hosts let only so many requests (16, as a rule) into an instance.
const SMALL: usize = MIB;
const MIB: usize = 1024 * 1024;
/// How often a request looks whether there is room for it: the one that is next, and the others.
const NEXT_LOOK_MS: u64 = 1;
const LOOK_MS: u64 = 10;

/// Memory to be shared.
#[derive(Clone, Debug)]
pub struct Memory(Rc<RefCell<State>>);

#[derive(Debug)]
struct State {
    all: usize,
    /// More than all, perhaps, by small shares.
    taken: usize,
    /// Who waits and for how many bytes, in the order in which they came: a large share is not overtaken by lesser ones for
    /// ever.
    waiting: VecDeque<(u64, usize)>,
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
    bytes: usize,
}

impl Memory {
    /// So many bytes, all of them free.
    pub fn of(bytes: usize) -> Self {
        Self(Rc::new(RefCell::new(State { all: bytes, taken: 0, waiting: VecDeque::new(), next: 0 })))
    }

    /// A share of so many bytes; `None` if there is no room for it within `wait_ms`.
    pub async fn share(&self, bytes: usize, wait_ms: u64) -> Option<Share> {
        if bytes <= SMALL {
            return Some(self.give(bytes));
        }
        let turn = self.queue(bytes);
        let deadline = SpinRuntime.monotonic_ms() + wait_ms;
        loop {
            if let Some(share) = turn.take() {
                return Some(share);
            }
            if SpinRuntime.monotonic_ms() >= deadline {
                return None;
            }
            // Requests of one instance are tasks of their own, which cannot wake one another: so they look again.
            SpinRuntime.sleep(if turn.is_next() { NEXT_LOOK_MS } else { LOOK_MS }).await;
        }
    }

    fn queue(&self, bytes: usize) -> Turn<'_> {
        let mut state = self.0.borrow_mut();
        let number = state.next;
        state.next += 1;
        state.waiting.push_back((number, bytes));
        Turn { memory: self, number, bytes }
    }

    fn give(&self, bytes: usize) -> Share {
        self.0.borrow_mut().taken += bytes;
        Share { memory: self.clone(), bytes }
    }
}

impl Turn<'_> {
    fn is_next(&self) -> bool {
        self.memory.0.borrow().waiting.front().is_some_and(|(number, _)| *number == self.number)
    }

    /// The share, if there is room for it and for all who came before. (They look less often than room comes: so they need
    /// not go one by one.)
    fn take(&self) -> Option<Share> {
        let fits = {
            let state = self.memory.0.borrow();
            let before = state.waiting.iter().take_while(|(number, _)| *number != self.number);
            // All that is wanted may be more than a 32-bit number holds.
            let wanted = before.fold(self.bytes, |sum, (_, bytes)| sum.saturating_add(*bytes));
            state.taken.saturating_add(wanted) <= state.all
        };
        fits.then(|| self.memory.give(self.bytes))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.memory.0.borrow_mut().waiting.retain(|(number, _)| *number != self.number);
    }
}

impl Share {
    /// Gives back all but so many bytes.
    pub fn shrink_to(&mut self, bytes: usize) {
        let unused = self.bytes.saturating_sub(bytes);
        self.bytes -= unused;
        self.memory.0.borrow_mut().taken -= unused;
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
    use futures_util::FutureExt;

    fn take(memory: &Memory, bytes: usize) -> Option<Share> {
        memory.queue(bytes).take()
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
        let (large, little) = (memory.queue(5), memory.queue(1));
        assert!(large.take().is_none() && little.take().is_none());
        assert!(large.is_next() && !little.is_next());
        drop(large);
        assert!(little.is_next() && little.take().is_some());
        drop((most, little));
        assert!(take(&memory, 10).is_some());
    }

    #[test]
    fn those_for_whom_there_is_room_take_it_in_any_order() {
        let memory = Memory::of(10);
        let [first, second, third] = [5, 4, 2].map(|bytes| memory.queue(bytes));
        assert!(third.take().is_none(), "it would take from those before");
        let given = second.take().unwrap();
        drop(second);
        assert!(third.take().is_none());
        let _given = (given, first.take().unwrap());
        drop(first);
        assert!(third.take().is_none(), "there is 1");
        let _most = memory.queue(usize::MAX);
        assert!(take(&memory, 1).is_none(), "however much is wanted");
    }

    #[test]
    fn small_shares_pass_while_large_ones_wait() {
        let memory = Memory::of(2 * SMALL);
        let large = take(&memory, 2 * SMALL).unwrap();
        let waiting = memory.queue(2 * SMALL);
        let small = memory.share(SMALL, 0).now_or_never().flatten().expect("no waiting");
        drop(large);
        assert!(waiting.take().is_none(), "small shares count");
        drop(small);
        assert!(waiting.take().is_some());
    }
}
