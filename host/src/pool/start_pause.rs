//! The pause after an instance could not be started.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// The first pause. It doubles with each failure up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// The pause after an instance could not be started.
#[derive(Default)]
pub struct StartPause {
    failures: Cell<u32>,
    /// No instance is started before this time.
    until: Cell<Option<Instant>>,
}

impl StartPause {
    /// Whether no instance is started now.
    pub fn is_on(&self) -> bool {
        self.until.get().is_some_and(|until| Instant::now() < until)
    }

    /// An instance has started.
    pub fn end(&self) {
        self.failures.set(0);
        self.until.set(None);
    }

    /// An instance could not be started.
    pub fn begin(&self) {
        let failures = self.failures.get();
        self.failures.set(failures.saturating_add(1));
        let pause = FIRST_PAUSE.saturating_mul(1 << failures.min(10)).min(MAX_PAUSE);
        self.until.set(Some(Instant::now() + pause));
    }
}
