//! Commands that somebody asked for by name are repeated while Redis is unreachable, for a moment.

use ports::{Connect, Redis, RedisError, Runtime};

use crate::Cache;

/// The pause after the first attempt; it grows by as much after each, up to the longest.
const PAUSE_MS: u64 = 50;
const PAUSE_MAX_MS: u64 = 2_000;

impl<R: Redis + Connect, T: Runtime> Cache<R, T> {
    /// Repeats `work`, which must bear it, until Redis answers or `patience_ms` are over.
    pub(crate) async fn patiently<V>(&self, work: impl AsyncFn() -> Result<V, RedisError>) -> Result<V, RedisError> {
        let deadline = self.runtime.monotonic_ms() + self.settings.patience_ms;
        let mut pause = PAUSE_MS;
        loop {
            match work().await {
                Err(RedisError::Unreachable(_)) if self.runtime.monotonic_ms() + pause < deadline => {
                    self.runtime.sleep(pause).await;
                    pause = (pause + PAUSE_MS).min(PAUSE_MAX_MS);
                }
                outcome => return outcome,
            }
        }
    }
}
