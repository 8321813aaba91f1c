//! Clocks, timers, randomness and background work.

/// What the protocols need besides Redis.
pub trait Runtime: 'static {
    /// Wall-clock time in milliseconds since the Unix epoch. It may stand still until the caller waits for something.
    fn unix_ms(&self) -> u64;

    /// A clock in milliseconds that never goes back. Its zero is arbitrary: only differences have a meaning. It may
    /// stand still until the caller waits for something.
    fn monotonic_ms(&self) -> u64;

    /// The same clock, which does not stand still. It may cost more.
    fn exact_monotonic_ms(&self) -> u64 {
        self.monotonic_ms()
    }

    /// 64 bits from a cryptographically secure source.
    fn random_u64(&self) -> u64;

    /// Waits for `ms` milliseconds.
    fn sleep(&self, ms: u64) -> impl Future<Output = ()>;

    /// Starts background work. The response to the current request does not wait for it. If the instance ends first,
    /// the work is lost.
    fn spawn(&self, work: impl Future<Output = ()> + 'static);
}
