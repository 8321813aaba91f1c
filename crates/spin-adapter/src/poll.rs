//! One poll of a request's future, or of a future that the request has started: what the clocks show, and whether new
//! work was started. It usually takes microseconds.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::time::{SystemTime, UNIX_EPOCH};

use spin_sdk::wasip3::clocks::monotonic_clock;
use spin_sdk::wit_bindgen;

/// What is known about the poll that is running. Each reading of a clock is a call of the host, so the first reading
/// in a poll holds for the whole poll.
#[derive(Clone, Copy, Default)]
struct Current {
    monotonic_ns: Option<u64>,
    unix_ms: Option<u64>,
    /// Whether this poll has started work that has not been polled.
    has_spawned: bool,
}

thread_local! {
    /// `None`: the code that runs is not part of [`run`].
    static CURRENT: Cell<Option<Current>> = const { Cell::new(None) };
    /// Whether work was started outside of a poll, by a future that was dropped. The next poll takes it over.
    static HAS_ORPHANS: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`. What it [spawns](spawn) begins after the current poll.
pub(crate) async fn run<F: Future>(work: F) -> F::Output {
    let mut work = pin!(work);
    poll_fn(|cx| {
        CURRENT.set(Some(Current { has_spawned: HAS_ORPHANS.take(), ..Current::default() }));
        let polled = work.as_mut().poll(cx);
        let current = CURRENT.take();
        // The executor polls new work in its next pass, which follows only if it is woken.
        if polled.is_pending() && current.is_some_and(|current| current.has_spawned) {
            cx.waker().wake_by_ref();
        }
        polled
    })
    .await
}

/// Whether a poll is running.
pub(crate) fn is_running() -> bool {
    CURRENT.get().is_some()
}

/// Runs `work` as part of the current request, beside what the request does itself.
pub(crate) fn spawn(work: impl Future<Output = ()> + 'static) {
    wit_bindgen::spawn(run(work));
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
    match CURRENT.get() {
        Some(current) => CURRENT.set(Some(Current { has_spawned: true, ..current })),
        None => HAS_ORPHANS.set(true),
    }
}

/// A clock in nanoseconds that never goes back. Its zero is arbitrary. It is read now, also if this poll has read it
/// before.
pub(crate) fn read_monotonic_ns() -> u64 {
    let now_ns = monotonic_clock::now();
    CURRENT.set(CURRENT.get().map(|current| Current { monotonic_ns: Some(now_ns), ..current }));
    now_ns
}

/// The same clock. The first reading in a poll holds for the whole poll.
pub(crate) fn monotonic_ns() -> u64 {
    CURRENT.get().and_then(|current| current.monotonic_ns).unwrap_or_else(read_monotonic_ns)
}

/// Milliseconds since 1970 by the wall clock. The first reading in a poll holds for the whole poll. A clock before 1970
/// counts as 1970.
pub(crate) fn unix_ms() -> u64 {
    let current = CURRENT.get();
    current.and_then(|current| current.unix_ms).unwrap_or_else(|| {
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        CURRENT.set(current.map(|current| Current { unix_ms: Some(now_ms), ..current }));
        now_ms
    })
}
