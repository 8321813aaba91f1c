//! Waiting for what comes in its own time.

use std::time::{Duration, Instant};

/// How long something may take that is bound to happen.
const PATIENCE: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(20);

/// Asks again and again until the answer is true. Panics, with what was `awaited`, if it does not become so.
pub async fn until(awaited: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !is_so().await {
        assert!(start.elapsed() < PATIENCE, "waited in vain for {PATIENCE:?}: {awaited}");
        tokio::time::sleep(PAUSE).await;
    }
}
