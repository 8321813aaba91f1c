//! Limits the memory of an instance.

use std::sync::Arc;

use wasmtime::ResourceLimiter;

use crate::memory::Budget;

/// Limits the sum of all memories and tables of one store, and counts it in the host's budget. Dropping this value
/// counts it no longer.
#[derive(Debug)]
pub struct MemoryLimiter {
    used: usize,
    max: usize,
    host: Arc<Budget>,
    /// Whether memory was refused because the host has no more.
    is_host_full: bool,
}

impl MemoryLimiter {
    /// At most `max` bytes, and no more than `host` has.
    pub fn new(max: usize, host: Arc<Budget>) -> Self {
        Self { used: 0, max, host, is_host_full: false }
    }

    /// Whether memory was refused because the host has no more.
    pub fn is_host_full(&self) -> bool {
        self.is_host_full
    }

    fn grow(&mut self, by: usize) -> bool {
        let Some(grown) = self.used.checked_add(by).filter(|used| *used <= self.max) else { return false };
        if !self.host.reserve(by) {
            self.is_host_full = true;
            return false;
        }
        self.used = grown;
        true
    }
}

impl Drop for MemoryLimiter {
    fn drop(&mut self) {
        self.host.release(self.used);
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(maximum.is_none_or(|maximum| desired <= maximum) && self.grow(desired.saturating_sub(current)))
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let bytes = desired.saturating_sub(current).saturating_mul(size_of::<usize>());
        Ok(maximum.is_none_or(|maximum| desired <= maximum) && self.grow(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_for_all_memories_and_tables_together() {
        let mut limiter = MemoryLimiter::new(100_000, Arc::new(Budget::new(1 << 20)));
        let mut grow = |current, desired, maximum| limiter.memory_growing(current, desired, maximum).expect("decides");
        assert!(grow(0, 65_536, None));
        assert!(!grow(0, 65_536, None), "a second memory");
        assert!(!grow(65_536, 131_072, None));
        assert!(grow(65_536, 100_000, None));
        assert!(!grow(100_000, 100_001, None));
        assert!(!grow(0, 0, None) || limiter.table_growing(0, 1, None).is_ok_and(|grown| !grown), "tables count too");
        assert!(!limiter.is_host_full());
    }

    #[test]
    fn all_instances_together_have_the_budget_of_the_host() {
        let budget = Arc::new(Budget::new(150_000));
        let limiter = || MemoryLimiter::new(100_000, budget.clone());
        let (mut first, mut second) = (limiter(), limiter());
        assert!(first.grow(100_000));
        assert!(!second.grow(65_536) && second.is_host_full());
        assert_eq!(budget.used(), 100_000);
        drop(first);
        assert!(second.grow(65_536));
        drop(second);
        assert_eq!(budget.used(), 0);
    }
}
