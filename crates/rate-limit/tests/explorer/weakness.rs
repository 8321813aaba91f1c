//! Deliberate weaknesses. Each removes one defence of the crate's real code, in the port. The search must catch each of
//! them. Otherwise a passing search would prove nothing.

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub enum Weakness {
    /// INCR, and PEXPIRE if the counter is new.
    IncrThenPexpire,
    /// ZADD … INCR without XX counts.
    CountedWithoutXx,
    /// ZADD … INCR without XX subtracts.
    SubtractedWithoutXx,
    /// The transaction queues PEXPIRE before ZADD.
    PexpireBeforeZadd,
    /// A counter is read and compared, and incremented only then.
    ComparedBeforeCounted,
    /// A subtraction is sent twice, as after a broken connection.
    SubtractedTwice,
    /// INCREX without a lower bound and an expiry subtracts.
    SubtractedWithoutBound,
    /// INCREX without an upper bound and without a comparison counts.
    CountedWithoutBound,
}
