//! Clocks, randomness, sleep and background work from WASI.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::time::{SystemTime, UNIX_EPOCH};

use ports::Runtime;
use spin_sdk::wasip3::clocks::monotonic_clock;
use spin_sdk::wasip3::random::random;
use spin_sdk::wit_bindgen;

const NS_PER_MS: u64 = 1_000_000;

/// What the clocks show during a turn: the work between two events of the host, which takes microseconds. Each reading
/// is a call of the host, so a turn reads each clock once.
#[derive(Clone, Copy, Default)]
struct Turn {
    monotonic_ns: Option<u64>,
    unix_ms: Option<u64>,
}

thread_local! {
    /// `None`: the code that runs is not part of [`in_turns`].
    static TURN: Cell<Option<Turn>> = const { Cell::new(None) };
}

/// Runs `work`, which sees the same time until it waits for something.
pub(crate) async fn in_turns<F: Future>(work: F) -> F::Output {
    let mut work = pin!(work);
    poll_fn(|cx| {
        TURN.set(Some(Turn::default()));
        let polled = work.as_mut().poll(cx);
        TURN.set(None);
        polled
    })
    .await
}

/// A clock in nanoseconds that never goes back. Its zero is arbitrary. It is read now, also if this turn has read it
/// before.
pub(crate) fn monotonic_ns() -> u64 {
    let now_ns = monotonic_clock::now();
    TURN.set(TURN.get().map(|turn| Turn { monotonic_ns: Some(now_ns), ..turn }));
    now_ns
}

/// The same clock as it was when this turn read it.
fn turn_ns() -> u64 {
    TURN.get().and_then(|turn| turn.monotonic_ns).unwrap_or_else(monotonic_ns)
}

/// The runtime of a component.
#[derive(Clone, Copy, Debug, Default)]
pub struct SpinRuntime;

impl Runtime for SpinRuntime {
    fn unix_ms(&self) -> u64 {
        let turn = TURN.get();
        turn.and_then(|turn| turn.unix_ms).unwrap_or_else(|| {
            // A clock before 1970 counts as 1970.
            let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
            TURN.set(turn.map(|turn| Turn { unix_ms: Some(now_ms), ..turn }));
            now_ms
        })
    }

    fn monotonic_ms(&self) -> u64 {
        turn_ns() / NS_PER_MS
    }

    fn random_u64(&self) -> u64 {
        random::get_random_u64()
    }

    async fn sleep(&self, ms: u64) {
        monotonic_clock::wait_for(ms * NS_PER_MS).await;
    }

    /// The work belongs to the request that started it: it continues after the response, and ends if the request is
    /// cancelled. What it logs is written at its end.
    fn spawn(&self, work: impl Future<Output = ()> + 'static) {
        let work = telemetry::inherit(work);
        wit_bindgen::spawn(in_turns(async {
            work.await;
            telemetry::flush();
        }));
    }
}
