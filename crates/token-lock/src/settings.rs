//! What can be set, and the bounds of what can be asked for.

use std::ops::RangeInclusive;

/// How long a lock may be asked for, in milliseconds.
pub const TTL_MS: RangeInclusive<u64> = 10..=3_600_000;

/// How long [`acquire_within`](crate::Locks::acquire_within) should be asked to wait at most, in milliseconds.
pub const MAX_WAIT_MS: u64 = 30_000;

/// How many resources can be acquired at once.
pub const MAX_RESOURCES: usize = 16;

/// The settings of [`Locks`](crate::Locks). Times are in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long one operation (acquiring, releasing, …) may take on one server. With several servers, one that is slow
    /// makes nobody wait, for the majority's answers are enough.
    pub timeout_ms: u64,
    /// How long a server that failed is left alone; if it is the only one, it is so for new locks only.
    pub breaker_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { timeout_ms: 500, breaker_ms: 500 }
    }
}
