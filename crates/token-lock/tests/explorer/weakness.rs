//! Deliberate weaknesses: each takes one defence away, at the port or in the simulated server, from the crate's real
//! code. The search must catch every one of them; otherwise it could not fail.

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub enum Weakness {
    /// GET, then DEL: the lock is not watched in between.
    ReleasedWithoutWatch,
    /// WATCH and MULTI travel together, and it is not noticed when MULTI comes first.
    WatchedTooLate,
    /// DELEX without IFEQ.
    BareDelex,
    /// Deleted without looking whose it is.
    ReleasedByKey,
    /// The fencing number is drawn before the lock is taken.
    NumberBeforeLock,
    /// A counter that was lost starts again from the same number.
    CounterStartsAgain,
    /// A counter that was lost is set without WATCH.
    CounterWithoutWatch,
    /// The clock is read before the counter is watched.
    ClockBeforeWatch,
    /// With several servers, the number that is granted is the greatest that was drawn, and nobody is told.
    NumbersDiffer,
    /// An instance does not notice how long an answer took.
    TtlIgnored,
}
