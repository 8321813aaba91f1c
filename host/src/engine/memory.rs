//! Limits the memory of an instance.

use wasmtime::ResourceLimiter;

/// Limits the sum of all memories and tables of one store.
#[derive(Debug)]
pub struct MemoryLimiter {
    used: usize,
    max: usize,
}

impl MemoryLimiter {
    /// At most `max` bytes.
    pub fn new(max: usize) -> Self {
        Self { used: 0, max }
    }

    fn grow(&mut self, by: usize) -> bool {
        let grown = self.used.checked_add(by).filter(|used| *used <= self.max);
        self.used = grown.unwrap_or(self.used);
        grown.is_some()
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
    use super::MemoryLimiter;
    use wasmtime::ResourceLimiter;

    #[test]
    fn the_limit_is_for_all_memories_and_tables_together() {
        let mut limiter = MemoryLimiter::new(100_000);
        let mut grow = |current, desired, maximum| limiter.memory_growing(current, desired, maximum).expect("decides");
        assert!(grow(0, 65_536, None));
        assert!(!grow(0, 65_536, None), "a second memory");
        assert!(!grow(65_536, 131_072, None));
        assert!(grow(65_536, 100_000, None));
        assert!(!grow(100_000, 100_001, None));
        assert!(!grow(0, 0, None) || limiter.table_growing(0, 1, None).is_ok_and(|grown| !grown), "tables count too");
    }
}
