//! Stops calls to a server for some time after a failure, so that an outage costs one deadline and not one per request
//! (the circuit breaker in Nygard, *Release It!*).

use std::cell::Cell;

/// Closed until a failure. Then open for some time. Then half-open: it allows one call at a time.
#[derive(Debug, Default)]
pub(crate) struct CircuitBreaker {
    /// Monotonic time in ms. `None`: closed.
    open_until_ms: Cell<Option<u64>>,
}

impl CircuitBreaker {
    /// Whether a call may be sent now. In the half-open state, one call per `probe_ms` may.
    pub(crate) fn allows(&self, now_ms: u64, probe_ms: u64) -> bool {
        match self.open_until_ms.get() {
            None => true,
            Some(until_ms) if now_ms < until_ms => false,
            Some(_) => {
                self.open_until_ms.set(Some(now_ms + probe_ms));
                true
            }
        }
    }

    pub(crate) fn open(&self, until_ms: u64) {
        self.open_until_ms.set(Some(until_ms));
    }

    pub(crate) fn close(&self) {
        self.open_until_ms.set(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_on_failure_probes_once_and_closes_on_success() {
        let breaker = CircuitBreaker::default();
        assert!(breaker.allows(0, 100));
        breaker.open(1_500);
        assert!(!breaker.allows(1_499, 100));
        assert!(breaker.allows(1_500, 100), "the probe");
        assert!(!breaker.allows(1_501, 100), "only one probe at a time");
        assert!(breaker.allows(1_600, 100), "a probe that never returned does not block for ever");
        breaker.close();
        assert!(breaker.allows(1_601, 100));
    }
}
