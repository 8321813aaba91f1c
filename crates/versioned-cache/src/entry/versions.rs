//! Versions and generations: the integers in Redis that say which entries are current.

use std::fmt;

use ports::{Reply, Runtime};

/// A version or a generation. It starts from the clock, not from 0 or 1, so that a number whose key was evicted or
/// flushed never comes back. The upper bits are the Unix time in milliseconds. The lower 21 bits are random, so that
/// two instances whose clocks disagree start from different numbers. A write adds 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Version(i64);

const RANDOM_BITS: u32 = 21;

impl Version {
    /// The smallest valid version (its time is in the year 1987). INCR on a lost key returns a smaller number. As a
    /// version, that number could make old entries current again.
    const SMALLEST: i64 = 1 << 60;

    /// A version that was never used before.
    pub(crate) fn fresh(runtime: &impl Runtime) -> Self {
        Self::at(runtime.unix_ms(), runtime.random_u64())
    }

    fn at(unix_ms: u64, random: u64) -> Self {
        let time = (unix_ms << RANDOM_BITS) & (i64::MAX as u64);
        let random = (random & ((1 << RANDOM_BITS) - 1)) as i64;
        // A clock that shows a time before 1987 still gives different numbers.
        Self((time as i64 | random).max(Self::SMALLEST | random))
    }

    fn from_number(number: i64) -> Option<Self> {
        (number >= Self::SMALLEST).then_some(Self(number))
    }

    /// The version in a reply. `None`: it was lost, or another program wrote to its key.
    pub(crate) fn from_reply(reply: &Reply) -> Option<Self> {
        reply.as_int().and_then(Self::from_number)
    }

    pub(crate) fn number(self) -> i64 {
        self.0
    }
}

/// The versions of an entry: its own, and the others that it depends on (generations, a user's version). A value is
/// stored with the versions that were read before it was fetched, and is current while all of them are still the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Versions {
    pub own: Version,
    /// A digest of 48 bits of all the others. No number in it is ever used twice.
    others: u64,
}

const OTHERS_MASK: u64 = (1 << 48) - 1;

impl Versions {
    pub(crate) fn new(own: Version, others: &[Version]) -> Self {
        let digest = others.iter().fold(0, |digest, other| mix(digest ^ other.number() as u64));
        Self { own, others: digest & OTHERS_MASK }
    }

    /// The versions of a value that is stored now, with a fresh version of its own.
    pub(crate) fn with_own(self, own: Version) -> Self {
        Self { own, ..self }
    }

    /// The versions in the replies for the entry's own key and the others. `None`: at least one of them was lost.
    pub(crate) fn from_replies(replies: &[Reply]) -> Option<Self> {
        let versions: Vec<Version> = replies.iter().map(Version::from_reply).collect::<Option<_>>()?;
        let (own, others) = versions.split_first()?;
        Some(Self::new(*own, others))
    }

    /// The digest of all versions except the entry's own one.
    pub(crate) fn others(self) -> u64 {
        self.others
    }

    /// Appends what `Display` writes. Each hit does this twice, and the formatting of the standard library costs ten
    /// times more.
    pub(crate) fn append_to(self, text: &mut String) {
        text.push_str(itoa::Buffer::new().format(self.own.number()));
        text.push(':');
        let digit = |at| b"0123456789abcdef"[(self.others >> (4 * at)) as usize & 0xf];
        text.extend((0..12).rev().map(|at| char::from(digit(at))));
    }

    /// Parses what `Display` writes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (own, others) = text.split_once(':')?;
        let others = u64::from_str_radix(others, 16).ok().filter(|others| *others <= OTHERS_MASK)?;
        Some(Self { own: Version::from_number(own.parse().ok()?)?, others })
    }

    #[cfg(test)]
    pub(crate) fn test(own: i64, others: u64) -> Self {
        Self { own: Version::from_number(own).expect("a version"), others }
    }
}

impl fmt::Display for Versions {
    /// `{version}:{12 hexadecimal digits}`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.append_to(&mut text);
        f.write_str(&text)
    }
}

/// The finalizer of splitmix64 (Steele, Lea and Flood 2014): each bit of the input changes half of the output bits.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_795_219_200_000;

    #[test]
    fn a_fresh_version_is_valid() {
        for random in [0, u64::MAX] {
            let version = Version::at(NOW_MS, random);
            assert_eq!(Version::from_number(version.number()), Some(version));
        }
    }

    #[test]
    fn a_later_millisecond_gives_a_larger_version() {
        assert!(Version::at(NOW_MS, u64::MAX).number() < Version::at(NOW_MS + 1, 0).number());
    }

    #[test]
    fn incr_of_a_lost_key_gives_no_version() {
        for reply in [Reply::Nil, Reply::Int(1), Reply::Bytes(b"17".to_vec()), Reply::Bytes(b"abc".to_vec())] {
            assert_eq!(Version::from_reply(&reply), None);
        }
    }

    #[test]
    fn versions_are_written_and_parsed() {
        let versions = Versions::test(1 << 61, 0xabc);
        assert_eq!(versions.to_string(), format!("{}:000000000abc", 1u64 << 61));
        assert_eq!(Versions::parse(&versions.to_string()), Some(versions));
        for other in
            ["", "1:0", "x:0", "2305843009213693952", "2305843009213693952:x", "2305843009213693952:1000000000000"]
        {
            assert_eq!(Versions::parse(other), None, "{other}");
        }
    }

    #[test]
    fn each_number_and_its_position_count() {
        let number = |n: &i64| Reply::Int((1 << 61) + n);
        let versions = |numbers: &[i64]| Versions::from_replies(&numbers.iter().map(number).collect::<Vec<_>>());
        let all = [versions(&[1, 1, 2]), versions(&[2, 1, 2]), versions(&[1, 2, 1]), versions(&[1, 1, 3])];
        let all = [&all[..], &[versions(&[1, 1, 2, 0])]].concat();
        for (at, one) in all.iter().enumerate() {
            assert!(one.is_some());
            assert!(all[..at].iter().all(|other| other != one));
        }
        assert_eq!(Versions::from_replies(&[number(&1), Reply::Nil, number(&1)]), None);
        assert_eq!(Versions::from_replies(&[Reply::Int(1), number(&1)]), None, "the INCR of a lost version");
    }
}
