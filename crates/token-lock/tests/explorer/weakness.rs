//! Deliberate weaknesses. Each removes one defence of the crate's real code, in the port or in the simulated server.
//! The search must catch each of them. Otherwise a passing search would prove nothing.

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub enum Weakness {
    /// GET, then DEL, without WATCH.
    ReleasedWithoutWatch,
    /// WATCH and MULTI are sent together, and the server accepts WATCH after MULTI.
    WatchAfterMulti,
    /// DELEX without IFEQ.
    BareDelex,
    /// A release deletes the lock of any token.
    ReleasedWithoutComparing,
    /// The fencing number is drawn before the lock is acquired.
    NumberBeforeLock,
    /// A lost counter starts again from the same number.
    CounterStartsFromSameNumber,
    /// A lost counter starts, and a counter is raised, without WATCH.
    CounterWithoutWatch,
    /// The clock is read before the counter is watched.
    ClockBeforeWatch,
    /// With several servers, the grant has the greatest number, but the other counters are not raised to it.
    CountersNotRaised,
    /// A client ignores how long a reply took.
    TtlIgnored,
}
