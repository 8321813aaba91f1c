//! Version numbers that never come back.

use ports::Reply;

/// The version of a scope. Numbers start from the clock, not from 0 or 1, so that a version whose key was evicted or
/// flushed cannot return: the upper bits are the Unix time in milliseconds, the lower 21 are random, which keeps two
/// instances apart whose clocks disagree. A write adds 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version(i64);

const RANDOM_BITS: u32 = 21;

impl Version {
    /// No version is smaller (this one would have started in 1987): a smaller number comes from an INCR of a key that
    /// was lost, which is how old entries would be resurrected.
    const SMALLEST: i64 = 1 << 60;

    /// A version that nobody has used before.
    pub(crate) fn fresh(unix_ms: u64, random: u64) -> Self {
        let time = (unix_ms << RANDOM_BITS) & (i64::MAX as u64);
        let random = (random & ((1 << RANDOM_BITS) - 1)) as i64;
        // A clock that shows a time before 1987 still gives different numbers.
        Self((time as i64 | random).max(Self::SMALLEST | random))
    }

    /// The version that `number` is, unless it is the remains of a lost one.
    pub(crate) fn from_number(number: i64) -> Option<Self> {
        (number >= Self::SMALLEST).then_some(Self(number))
    }

    /// The version in a reply; `None` when it was lost or somebody else wrote there.
    pub(crate) fn from_reply(reply: &Reply) -> Option<Self> {
        reply.as_int().and_then(Self::from_number)
    }

    pub(crate) fn number(self) -> i64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_795_219_200_000;

    #[test]
    fn a_fresh_version_is_a_version() {
        for random in [0, u64::MAX] {
            let version = Version::fresh(NOW_MS, random);
            assert_eq!(Version::from_number(version.number()), Some(version));
        }
    }

    #[test]
    fn a_later_millisecond_gives_a_larger_version() {
        assert!(Version::fresh(NOW_MS, u64::MAX).number() < Version::fresh(NOW_MS + 1, 0).number());
    }

    #[test]
    fn what_incr_makes_of_a_lost_key_is_no_version() {
        for reply in [Reply::Nil, Reply::Int(1), Reply::Bytes(b"17".to_vec()), Reply::Bytes(b"abc".to_vec())] {
            assert_eq!(Version::from_reply(&reply), None);
        }
    }
}
