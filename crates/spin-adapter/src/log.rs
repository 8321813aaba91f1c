//! When the lines of the log are written.

use std::cell::Cell;

use ports::Runtime;

use crate::runtime::SpinRuntime;

/// How long lines are collected, in ms.
const COLLECT_MS: u64 = 5;

thread_local! {
    static FLUSH_AT_MS: Cell<u64> = const { Cell::new(0) };
}

/// Writes the lines that wait, some milliseconds of requests at a time. If the flush is cancelled with its request, a
/// later one writes them.
pub(crate) fn flush_soon() {
    let now_ms = SpinRuntime.monotonic_ms();
    if telemetry::is_waiting() && FLUSH_AT_MS.get() <= now_ms {
        FLUSH_AT_MS.set(now_ms + COLLECT_MS);
        // The end of the work writes them.
        SpinRuntime.spawn(async { SpinRuntime.sleep(COLLECT_MS).await });
    }
}
