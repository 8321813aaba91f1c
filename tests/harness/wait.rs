//! Waiting for conditions, and checking deadlines on a machine that may be busy.

use std::time::{Duration, Instant};

/// How long something may take that must happen at some time. Long enough for a machine that is slow and busy.
const BOUND: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(20);
/// How often something is tried that must be fast unless the machine is busy.
const ATTEMPTS: usize = 8;

/// Waits until `is_so` returns true. Panics, with what was `awaited`, if that takes minutes.
pub async fn until(awaited: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !is_so().await {
        assert!(start.elapsed() < BOUND, "not within {BOUND:?}: {awaited}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Checks that `work` takes less than `limit`. A busy machine may delay anything, so one of several attempts must be in
/// time: work that waits for something takes too long in each of them. Returns what the last attempt returns.
pub async fn within<T>(limit: Duration, mut work: impl AsyncFnMut() -> T) -> T {
    let mut result = None;
    fast_enough(limit, async || {
        let start = Instant::now();
        result = Some(work().await);
        start.elapsed()
    })
    .await;
    result.expect("there is at least one attempt")
}

/// As [`within`], for work that measures itself what must take less than `limit`.
pub async fn fast_enough(limit: Duration, mut measure: impl AsyncFnMut() -> Duration) {
    let mut took = Vec::new();
    while took.last().is_none_or(|last| *last >= limit) {
        assert!(took.len() < ATTEMPTS, "never within {limit:?}: {took:?}");
        took.push(measure().await);
    }
    println!("{took:?} of {limit:?}");
}
