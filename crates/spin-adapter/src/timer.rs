//! One timer of the host for the deadlines of all requests of an instance.
//!
//! Almost every deadline is cancelled, because the reply arrives in time. To cancel a timer of the host is the most
//! expensive part of a cached read: the host suspends the request, starts another fiber for its event loop, and returns.
//! So requests wait for a timer that they share, and cancelling that is cheap.
//!
//! The requests of an instance are separate tasks. A task cannot wake another one, but it can close a stream that
//! another one reads. So a sleeper reads a stream in which nobody writes, and the timer closes it when the time has
//! come. The timer runs as a part of one of the requests, which ends up to [`TICK_MS`] later.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use spin_sdk::wasip3::clocks::monotonic_clock::wait_for;
use spin_sdk::wasip3::wit_stream;
use spin_sdk::wit_bindgen::{self, StreamReader, StreamWriter};

use crate::runtime::{NS_PER_MS, in_turns, turn_ns};

/// How long the timer sleeps, at most.
const TICK_MS: u64 = 10;

/// Which times are waited for with this timer, in ms. It would notice shorter ones too late. For longer ones it would
/// run for nothing.
pub(crate) const SHARED_MS: RangeInclusive<u64> = TICK_MS + 1..=1_000;

/// When a sleeper wakes in monotonic ns, and a number that no other sleeper has.
type Key = (u64, u64);

thread_local! {
    static TIMER: RefCell<Timer> = const { RefCell::new(Timer::new()) };
}

struct Timer {
    /// What keeps each of the sleepers asleep.
    sleepers: BTreeMap<Key, StreamWriter<u8>>,
    last_number: u64,
    is_running: bool,
    /// Streams for further sleepers.
    unused: Vec<(StreamWriter<u8>, StreamReader<u8>)>,
}

/// Waits for `ms` milliseconds, which are in [`SHARED_MS`].
pub(crate) async fn sleep(ms: u64) {
    let until_ns = turn_ns() + ms * NS_PER_MS;
    // It wakes early if the request that runs the timer is cancelled.
    while turn_ns() < until_ns {
        let mut sleeper = Sleeper::new(until_ns);
        if let Some(reader) = &mut sleeper.reader {
            reader.read(Vec::with_capacity(1)).await;
        }
    }
}

impl Timer {
    const fn new() -> Self {
        Self { sleepers: BTreeMap::new(), last_number: 0, is_running: false, unused: Vec::new() }
    }

    /// When the next sleeper wakes, in monotonic ns.
    fn next_ns(&self) -> Option<u64> {
        self.sleepers.first_key_value().map(|((until_ns, _), _)| *until_ns)
    }

    /// Wakes the sleepers whose time has come.
    fn wake(&mut self, now_ns: u64) {
        // Those that are left have the keys after this one.
        let later = self.sleepers.split_off(&(now_ns + 1, 0));
        self.sleepers = later;
    }
}

/// A sleeping request.
struct Sleeper {
    key: Key,
    /// `None`: it has been dropped.
    reader: Option<StreamReader<u8>>,
}

impl Sleeper {
    fn new(until_ns: u64) -> Self {
        TIMER.with_borrow_mut(|timer| {
            let (writer, reader) = timer.unused.pop().unwrap_or_else(wit_stream::new);
            timer.last_number += 1;
            let key = (until_ns, timer.last_number);
            timer.sleepers.insert(key, writer);
            if !std::mem::replace(&mut timer.is_running, true) {
                wit_bindgen::spawn(in_turns(run()));
            }
            Self { key, reader: Some(reader) }
        })
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        TIMER.with_borrow_mut(|timer| {
            // If the writer is gone, the timer has woken this sleeper.
            if let (Some(writer), Some(reader)) = (timer.sleepers.remove(&self.key), self.reader.take()) {
                timer.unused.push((writer, reader));
            }
        });
    }
}

/// Wakes sleepers until there are none.
async fn run() {
    let _running = Running;
    while let Some(next_ns) = TIMER.with_borrow(Timer::next_ns) {
        wait_for(next_ns.saturating_sub(turn_ns()).min(TICK_MS * NS_PER_MS)).await;
        TIMER.with_borrow_mut(|timer| timer.wake(turn_ns()));
    }
}

/// Lets the next sleeper start the timer again. If the timer was cancelled with its request, wakes all sleepers, so that
/// one of them does.
struct Running;

impl Drop for Running {
    fn drop(&mut self) {
        TIMER.with_borrow_mut(|timer| {
            timer.is_running = false;
            timer.sleepers.clear();
        });
    }
}
