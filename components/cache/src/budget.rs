//! Amounts that the requests of an instance share: memory, and turns.
//!
//! An instance that exceeds the memory limit of its host is stopped with all its requests. So large requests reserve
//! memory first, and wait until there is room. Requests that load Redis for a long time wait for their turn.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use ports::Runtime;
use spin_adapter::SpinRuntime;

/// The budget of requests for many keys, in bytes.
pub const MANY_KEYS_BYTES: usize = 288 * MIB;
/// The budget of keys that are being warmed, in bytes. It is separate, because these reservations last as long as the
/// origin takes. Besides both budgets, an instance needs about the same amount of memory for everything else: bodies
/// that are being read, single values, small reservations, and fragmentation. Hosts should allow it 1 GiB.
pub const WARM_BYTES: usize = 96 * MIB;
/// Reservations of up to this many bytes never wait, even if the budget is used up. Such a request needs no more memory
/// than a request for a single key, and hosts limit the concurrent requests of an instance (usually to 16).
const SMALL: usize = MIB;
const MIB: usize = 1024 * 1024;
/// How often a waiter checks whether there is room: the first in the queue, and the others.
const FIRST_POLL_MS: u64 = 1;
const POLL_MS: u64 = 10;

/// A number of bytes, or of turns, that requests share.
#[derive(Clone, Debug)]
pub struct Budget(Rc<RefCell<State>>);

#[derive(Debug)]
struct State {
    total: usize,
    /// Reservations of up to this amount never wait.
    small: usize,
    /// Small reservations may raise it above the total.
    reserved: usize,
    /// The waiters in the order of arrival: id and bytes. The order keeps small requests from overtaking a large one
    /// forever.
    queue: VecDeque<(u64, usize)>,
    next_id: u64,
}

/// Reserved bytes, until this is dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: Budget,
    bytes: usize,
}

/// A place in the queue, until this is dropped.
struct Waiter<'a> {
    budget: &'a Budget,
    id: u64,
    bytes: usize,
}

impl Budget {
    /// A budget of this many bytes, all of them free.
    pub fn of_memory(bytes: usize) -> Self {
        Self::new(bytes, SMALL)
    }

    /// A budget for work that one request does at a time: it reserves 1.
    pub fn of_one_turn() -> Self {
        Self::new(1, 0)
    }

    fn new(total: usize, small: usize) -> Self {
        Self(Rc::new(RefCell::new(State { total, small, reserved: 0, queue: VecDeque::new(), next_id: 0 })))
    }

    /// Reserves this many bytes or turns; `None` if they do not become free within `wait_ms`.
    pub async fn reserve(&self, bytes: usize, wait_ms: u64) -> Option<Reservation> {
        if bytes <= self.0.borrow().small {
            return Some(self.grant(bytes));
        }
        let waiter = self.enqueue(bytes);
        let deadline = SpinRuntime.monotonic_ms() + wait_ms;
        loop {
            if let Some(reservation) = waiter.try_reserve() {
                return Some(reservation);
            }
            if SpinRuntime.monotonic_ms() >= deadline {
                return None;
            }
            // It polls, because the requests of an instance are separate tasks that cannot wake one another.
            SpinRuntime.sleep(if waiter.is_first() { FIRST_POLL_MS } else { POLL_MS }).await;
        }
    }

    fn enqueue(&self, bytes: usize) -> Waiter<'_> {
        let mut state = self.0.borrow_mut();
        let id = state.next_id;
        state.next_id += 1;
        state.queue.push_back((id, bytes));
        Waiter { budget: self, id, bytes }
    }

    fn grant(&self, bytes: usize) -> Reservation {
        self.0.borrow_mut().reserved += bytes;
        Reservation { budget: self.clone(), bytes }
    }
}

impl Waiter<'_> {
    fn is_first(&self) -> bool {
        self.budget.0.borrow().queue.front().is_some_and(|(id, _)| *id == self.id)
    }

    /// Reserves if there is room for this waiter and all before it. The first need not reserve first: it may poll later
    /// than this one.
    fn try_reserve(&self) -> Option<Reservation> {
        let fits = {
            let state = self.budget.0.borrow();
            let earlier = state.queue.iter().take_while(|(id, _)| *id != self.id);
            // The sum may exceed a 32-bit usize.
            let wanted = earlier.fold(self.bytes, |sum, (_, bytes)| sum.saturating_add(*bytes));
            state.reserved.saturating_add(wanted) <= state.total
        };
        fits.then(|| self.budget.grant(self.bytes))
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.budget.0.borrow_mut().queue.retain(|(id, _)| *id != self.id);
    }
}

impl Reservation {
    /// Keeps up to this many bytes and releases the rest.
    pub fn shrink_to(&mut self, bytes: usize) {
        let unused = self.bytes.saturating_sub(bytes);
        self.bytes -= unused;
        self.budget.0.borrow_mut().reserved -= unused;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn reserve(budget: &Budget, bytes: usize) -> Option<Reservation> {
        budget.enqueue(bytes).try_reserve()
    }

    #[test]
    fn no_more_is_reserved_than_the_total() {
        let budget = Budget::of_memory(10);
        let mut first = reserve(&budget, 7).unwrap();
        assert!(reserve(&budget, 4).is_none());
        let second = reserve(&budget, 3).unwrap();
        first.shrink_to(5);
        first.shrink_to(6);
        assert!(reserve(&budget, 3).is_none());
        assert!(reserve(&budget, 2).is_some(), "and released at once");
        drop((first, second));
        assert!(reserve(&budget, 10).is_some());
    }

    #[test]
    fn waiters_are_served_in_order_except_for_those_that_gave_up() {
        let budget = Budget::of_memory(10);
        let most = reserve(&budget, 8).unwrap();
        let (large, little) = (budget.enqueue(5), budget.enqueue(1));
        assert!(large.try_reserve().is_none() && little.try_reserve().is_none());
        assert!(large.is_first() && !little.is_first());
        drop(large);
        assert!(little.is_first() && little.try_reserve().is_some());
        drop((most, little));
        assert!(reserve(&budget, 10).is_some());
    }

    #[test]
    fn waiters_that_all_fit_reserve_in_any_order() {
        let budget = Budget::of_memory(10);
        let [first, second, third] = [5, 4, 2].map(|bytes| budget.enqueue(bytes));
        assert!(third.try_reserve().is_none(), "it would take room from earlier waiters");
        let reserved = second.try_reserve().unwrap();
        drop(second);
        assert!(third.try_reserve().is_none());
        let _reserved = (reserved, first.try_reserve().unwrap());
        drop(first);
        assert!(third.try_reserve().is_none(), "1 byte is free");
        let _most = budget.enqueue(usize::MAX);
        assert!(reserve(&budget, 1).is_none(), "the sum does not overflow");
    }

    #[test]
    fn a_turn_is_for_one() {
        let turns = Budget::of_one_turn();
        let turn = reserve(&turns, 1).unwrap();
        let (second, third) = (turns.enqueue(1), turns.enqueue(1));
        assert!(second.try_reserve().is_none());
        drop(turn);
        assert!(third.try_reserve().is_none(), "the second comes first");
        assert!(second.try_reserve().is_some());
    }

    #[test]
    fn small_reservations_do_not_wait_for_large_ones() {
        let budget = Budget::of_memory(2 * SMALL);
        let large = reserve(&budget, 2 * SMALL).unwrap();
        let waiting = budget.enqueue(2 * SMALL);
        let small = budget.reserve(SMALL, 0).now_or_never().flatten().expect("no waiting");
        drop(large);
        assert!(waiting.try_reserve().is_none(), "small reservations count");
        drop(small);
        assert!(waiting.try_reserve().is_some());
    }
}
