//! Leaves Redis alone for a while after a failure, so that an outage costs one deadline, not one per request
//! (the circuit breaker of Nygard's *Release It!*).

use std::cell::Cell;

/// Closed until a failure; then open for a while; then one caller at a time may try.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    /// Monotonic time in ms; calls are refused before it.
    open_until_ms: Cell<Option<u64>>,
}

impl Breaker {
    /// Whether a call may go out now. While the breaker is open, one caller per `probe_ms` may.
    pub(crate) fn allows(&self, now_ms: u64, probe_ms: u64) -> bool {
        match self.open_until_ms.get() {
            None => true,
            Some(until) if now_ms < until => false,
            Some(_) => {
                self.open_until_ms.set(Some(now_ms + probe_ms));
                true
            }
        }
    }

    pub(crate) fn failed(&self, now_ms: u64, open_ms: u64) {
        self.open_until_ms.set(Some(now_ms + open_ms));
    }

    pub(crate) fn succeeded(&self) {
        self.open_until_ms.set(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_on_failure_probes_once_and_closes_on_success() {
        let breaker = Breaker::default();
        assert!(breaker.allows(0, 100));
        breaker.failed(1_000, 500);
        assert!(!breaker.allows(1_499, 100));
        assert!(breaker.allows(1_500, 100), "the probe");
        assert!(!breaker.allows(1_501, 100), "only one probe at a time");
        assert!(breaker.allows(1_600, 100), "a probe that never came back does not block for ever");
        breaker.succeeded();
        assert!(breaker.allows(1_601, 100));
    }
}
