//! Clocks, timers, randomness and background work.

/// What the protocols need besides Redis.
pub trait Runtime: 'static {
    /// Wall-clock time in milliseconds since the Unix epoch.
    fn unix_ms(&self) -> u64;

    /// A clock in milliseconds that never goes back. Its zero is arbitrary: only differences have a meaning.
    fn monotonic_ms(&self) -> u64;

    /// 64 bits from a cryptographically secure source.
    fn random_u64(&self) -> u64;

    /// Waits for `ms` milliseconds.
    fn sleep(&self, ms: u64) -> impl Future<Output = ()>;

    /// Starts background work. The response to the current request does not wait for it. If the instance ends first,
    /// the work is lost.
    fn spawn(&self, work: impl Future<Output = ()> + 'static);
}
