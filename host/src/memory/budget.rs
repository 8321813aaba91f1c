//! How much memory the host uses, and how much it may use.

use std::sync::atomic::{AtomicIsize, Ordering::Relaxed};

use tokio::sync::watch;

/// How much memory the host uses, and how much it may use. All threads share it.
///
/// What is used is measured in two ways. Instances report at once when their memory grows or is freed. Every 50 ms,
/// [`super::watch()`] replaces the figure by that of the kernel. The kernel's figure contains everything, also buffers
/// of requests and responses, and of the instances only the pages that were written to.
#[derive(Debug)]
pub struct Budget {
    max: usize,
    /// May be negative for a moment: memory that an instance never wrote to is freed, too.
    used: AtomicIsize,
    short: watch::Sender<()>,
}

impl Budget {
    /// A budget of `max` bytes.
    pub fn new(max: usize) -> Self {
        Self { max: max.min(isize::MAX as usize), used: AtomicIsize::new(0), short: watch::Sender::new(()) }
    }

    /// The budget, in bytes.
    pub fn max(&self) -> usize {
        self.max
    }

    /// What is used, in bytes.
    pub fn used(&self) -> usize {
        usize::try_from(self.used.load(Relaxed)).unwrap_or(0)
    }

    /// Whether new requests must be refused: over seven eighths are used.
    pub fn is_short(&self) -> bool {
        self.used() > self.max - self.max / 8
    }

    /// Counts `bytes` more, unless they are over the budget. Returns whether they were counted.
    pub fn reserve(&self, bytes: usize) -> bool {
        let Ok(signed) = isize::try_from(bytes) else { return false };
        let before = usize::try_from(self.used.fetch_add(signed, Relaxed)).unwrap_or(0);
        let fits = before.saturating_add(bytes) <= self.max;
        if !fits {
            self.used.fetch_sub(signed, Relaxed);
        }
        fits
    }

    /// Counts `bytes` less.
    pub fn release(&self, bytes: usize) {
        self.used.fetch_sub(isize::try_from(bytes).unwrap_or(isize::MAX), Relaxed);
    }

    /// Replaces what was counted by what the kernel says. While memory is short, all receivers are told.
    pub fn measured(&self, bytes: usize) {
        self.used.store(isize::try_from(bytes).unwrap_or(isize::MAX), Relaxed);
        if self.is_short() {
            self.short.send_replace(());
        }
    }

    /// A receiver that is notified by each measurement that finds memory short.
    pub fn when_short(&self) -> watch::Receiver<()> {
        self.short.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_short_before_the_budget_is_used_up() {
        let budget = Budget::new(800);
        assert!(budget.reserve(700) && !budget.is_short());
        assert!(budget.reserve(1) && budget.is_short());
        assert!(!budget.reserve(100), "over the budget");
        assert!(budget.reserve(99), "what was refused is not counted");
        budget.release(200);
        assert!(!budget.is_short());
    }

    #[test]
    fn a_measurement_replaces_what_was_counted() {
        let budget = Budget::new(800);
        let told = budget.when_short();
        assert!(budget.reserve(800));
        budget.measured(100);
        assert_eq!((budget.used(), told.has_changed().expect("open")), (100, false));
        budget.release(800);
        assert_eq!(budget.used(), 0, "the instance had not written to most of its memory");
        budget.measured(701);
        assert!(budget.is_short() && told.has_changed().expect("open"));
    }
}
