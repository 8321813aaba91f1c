//! Stops calls to a server for some time after a failure, so that an outage costs one deadline and not one per request
//! (the circuit breaker in Nygard, *Release It!*).

use std::cell::Cell;

/// Closed until a failure. Then open for some time. Then half-open: it allows one call at a time.
#[derive(Debug, Default)]
pub struct CircuitBreaker {
    /// Monotonic time in ms. `None`: closed.
    open_until_ms: Cell<Option<u64>>,
}

impl CircuitBreaker {
    /// Whether a call may be sent at this monotonic time in ms. In the half-open state, one call per `probe_ms` may.
    pub fn allows(&self, now_ms: u64, probe_ms: u64) -> bool {
        match self.open_until_ms.get() {
            None => true,
            Some(until_ms) if now_ms < until_ms => false,
            Some(_) => {
                self.open_until_ms.set(Some(now_ms + probe_ms));
                true
            }
        }
    }

    /// Opens it until this monotonic time in ms: call it after a failure. `true`: it was closed.
    pub fn open(&self, until_ms: u64) -> bool {
        self.open_until_ms.replace(Some(until_ms)).is_none()
    }

    /// Closes it: call it after a success. `true`: it was open.
    pub fn close(&self) -> bool {
        self.open_until_ms.take().is_some()
    }
}
