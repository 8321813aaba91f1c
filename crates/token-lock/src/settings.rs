//! Settings, and the limits of what callers may ask for.

use std::ops::RangeInclusive;

/// The TTL of a lock, in milliseconds.
pub const TTL_MS: RangeInclusive<u64> = 10..=3_600_000;

/// How long [`acquire_within`](crate::Locks::acquire_within) should wait at most, in milliseconds.
pub const MAX_WAIT_MS: u64 = 30_000;

/// How many resources one call may lock.
pub const MAX_RESOURCES: usize = 16;

/// The settings of [`Locks`](crate::Locks), in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long one operation (acquire, release, …) may take on one server. With several servers, a slow one delays
    /// nobody: the replies of the majority are enough.
    pub timeout_ms: u64,
    /// How long a server that failed is not asked. A single server is still asked to release, extend, break and
    /// inspect.
    pub circuit_open_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { timeout_ms: 500, circuit_open_ms: 500 }
    }
}
