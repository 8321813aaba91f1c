//! Turns: a turn is one poll of a request's future, or of a future that it has started. It usually takes microseconds.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::time::{SystemTime, UNIX_EPOCH};

use spin_sdk::wasip3::clocks::monotonic_clock;
use spin_sdk::wit_bindgen;

/// The state of a turn. Each reading of a clock is a call of the host, so the first reading in a turn holds for the
/// whole turn.
#[derive(Clone, Copy, Default)]
struct Turn {
    monotonic_ns: Option<u64>,
    unix_ms: Option<u64>,
    /// Whether this turn has started work that has not been polled.
    has_spawned: bool,
}

thread_local! {
    /// `None`: the code that runs is not part of [`in_turns`].
    static TURN: Cell<Option<Turn>> = const { Cell::new(None) };
    /// Whether work was started outside of a turn, by a future that was dropped. The next turn takes it over.
    static HAS_ORPHANS: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` in turns. What it [spawns](spawn) begins at the end of the turn.
pub(crate) async fn in_turns<F: Future>(work: F) -> F::Output {
    let mut work = pin!(work);
    poll_fn(|cx| {
        TURN.set(Some(Turn { has_spawned: HAS_ORPHANS.take(), ..Turn::default() }));
        let polled = work.as_mut().poll(cx);
        let turn = TURN.take();
        // The executor polls new work in its next pass, which follows only if it is woken.
        if polled.is_pending() && turn.is_some_and(|turn| turn.has_spawned) {
            cx.waker().wake_by_ref();
        }
        polled
    })
    .await
}

/// Whether a turn is running.
pub(crate) fn is_running() -> bool {
    TURN.get().is_some()
}

/// Runs `work` as part of the current request, beside what the request does itself.
pub(crate) fn spawn(work: impl Future<Output = ()> + 'static) {
    wit_bindgen::spawn(in_turns(work));
    has_spawned();
}

/// Runs a future of a library that calls wit-bindgen's `spawn` itself. It must do so in its first poll: later calls
/// would not be noticed.
pub(crate) async fn spawning<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut is_first = true;
    poll_fn(|cx| {
        let polled = future.as_mut().poll(cx);
        if std::mem::replace(&mut is_first, false) {
            has_spawned();
        }
        polled
    })
    .await
}

fn has_spawned() {
    match TURN.get() {
        Some(turn) => TURN.set(Some(Turn { has_spawned: true, ..turn })),
        None => HAS_ORPHANS.set(true),
    }
}

/// A clock in nanoseconds that never goes back. Its zero is arbitrary. It is read now, also if this turn has read it
/// before.
pub(crate) fn read_monotonic_ns() -> u64 {
    let now_ns = monotonic_clock::now();
    TURN.set(TURN.get().map(|turn| Turn { monotonic_ns: Some(now_ns), ..turn }));
    now_ns
}

/// The same clock. The first reading in a turn holds for the whole turn.
pub(crate) fn monotonic_ns() -> u64 {
    TURN.get().and_then(|turn| turn.monotonic_ns).unwrap_or_else(read_monotonic_ns)
}

/// Milliseconds since 1970 by the wall clock. The first reading in a turn holds for the whole turn. A clock before 1970
/// counts as 1970.
pub(crate) fn unix_ms() -> u64 {
    let turn = TURN.get();
    turn.and_then(|turn| turn.unix_ms).unwrap_or_else(|| {
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        TURN.set(turn.map(|turn| Turn { unix_ms: Some(now_ms), ..turn }));
        now_ms
    })
}
