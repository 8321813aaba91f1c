//! What one instance, and one worker's queue, may take.

use std::time::Duration;

use wasmtime::ResourceLimiter;

/// Limits of instances, the same for all components.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Requests that an instance answers in its life.
    pub reuse: usize,
    /// Requests that an instance answers at a time.
    pub concurrent: usize,
    /// How long an instance without work is kept.
    pub idle: Duration,
    /// How long a request, or the work after its answer, may take.
    pub request_timeout: Option<Duration>,
    /// Linear memory and tables of an instance, in bytes.
    pub memory: usize,
    /// Instances of a component on one worker.
    pub instances: usize,
    /// Requests that wait for an instance of a component on one worker.
    pub queue: usize,
}

impl Default for Limits {
    /// Spin's defaults where Spin has one.
    fn default() -> Self {
        Self {
            reuse: 128,
            concurrent: 16,
            idle: Duration::from_secs(1),
            request_timeout: None,
            memory: 1 << 30,
            instances: 64,
            queue: 1024,
        }
    }
}

/// Counts the memory of all memories and tables of one store.
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
        match self.used.checked_add(by) {
            Some(used) if used <= self.max => {
                self.used = used;
                true
            }
            _ => false,
        }
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
    fn all_memories_count_together() {
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
