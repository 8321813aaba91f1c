//! What an entry hangs on: the version of its own, the generations of its module and operation and, for a user's
//! entry, the version of the user. An entry is current while all of them are what they were before it was fetched.

use std::collections::HashMap;
use std::fmt;

use ports::{Arg, Connect, Redis, RedisError, Reply, Runtime};

use crate::Cache;
use crate::entry::Entry;
use crate::version::Version;

/// The versions that were current before a value was fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Basis {
    pub version: Version,
    /// A digest, of 48 bits, of everything else. The numbers in it are never used twice.
    others: u64,
}

/// Generations and versions of users that an instance remembers; beyond that it forgets them all.
const REMEMBERED_MAX: usize = 1_024;

/// How often it is tried to put a number where something else changes each time.
const ATTEMPTS: u32 = 4;

const OTHERS_MASK: u64 = (1 << 48) - 1;

impl Basis {
    /// The basis in the replies for [`Entry::version_key`] and [`Entry::other_keys`]; `None` if some number was lost.
    pub(crate) fn from_replies(version: &Reply, others: &[Reply]) -> Option<Self> {
        let others: Option<Vec<Version>> = others.iter().map(Version::from_reply).collect();
        Some(Self::new(Version::from_reply(version)?, &others?))
    }

    pub(crate) fn new(version: Version, others: &[Version]) -> Self {
        let digest = others.iter().fold(0, |digest, other| mix(digest ^ other.number() as u64));
        Self { version, others: digest & OTHERS_MASK }
    }

    /// The basis that [`Basis`]'s `Display` wrote.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (version, others) = text.split_once(':')?;
        let others = u64::from_str_radix(others, 16).ok()?;
        Some(Self { version: Version::from_number(version.parse().ok()?)?, others })
    }

    #[cfg(test)]
    pub(crate) fn test(version: i64, others: u64) -> Self {
        Self { version: Version::from_number(version).expect("a version"), others }
    }
}

impl fmt::Display for Basis {
    /// `{version}:{12 hexadecimal digits}`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:012x}", self.version.number(), self.others)
    }
}

/// The finalizer of splitmix64 (Steele, Lea and Flood 2014): each bit of the input changes half of the output's.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

impl<R: Redis + Connect, T: Runtime> Cache<R, T> {
    /// Gives new numbers to whatever of an entry's basis has none, and takes the others as they are. `version` and
    /// `others` are what Redis has.
    pub(crate) async fn start(&self, entry: &Entry, version: Reply, others: Vec<Reply>) -> Result<Basis, RedisError> {
        // A named entry's version lives as long as the entry may, once the entry is there; till then as long as a
        // fetch may take.
        let lives_ms = entry.is_named().then_some(self.settings.mark_ms);
        let version = self.start_version(entry.version_key(), version, lives_ms).await?;
        let mut started = Vec::with_capacity(others.len());
        for (key, current) in entry.other_keys().into_iter().zip(others) {
            started.push(self.start_version(key, current, None).await?);
        }
        Ok(Basis::new(version, &started))
    }

    /// The number under `key` if `current` is one; else a new one, or the one that somebody else put there meanwhile.
    async fn start_version(&self, key: String, current: Reply, lives_ms: Option<u64>) -> Result<Version, RedisError> {
        if let Some(version) = Version::from_reply(&current) {
            return Ok(version);
        }
        let fresh = self.fresh_version();
        let set = |more: Option<&str>| {
            let life = lives_ms.into_iter().flat_map(|ms| [Arg::from("PX"), Arg::Int(ms as i64)]);
            let words = [Arg::from(key.as_str()), fresh.number().into()];
            words.into_iter().chain(more.map(Arg::from)).chain(life).collect()
        };
        let ask = async || self.call_one("MGET", vec![key.as_str().into()]).await;
        let mut current = current;
        for _ in 0..ATTEMPTS {
            if current != Reply::Nil {
                break;
            }
            if self.call_one("SET", set(Some("NX"))).await? != Reply::Nil {
                return Ok(fresh);
            }
            current = ask().await?;
            if let Some(version) = Version::from_reply(&current) {
                return Ok(version);
            }
        }
        // What is there but is no version (the INCR of a lost key, somebody else's value) is overwritten: a version that
        // was never used before is always a valid bump.
        if lives_ms.is_none() {
            self.call("SET", set(None)).await?;
            return Ok(fresh);
        }
        // Of a named entry, a version that somebody puts there meanwhile is not: what was set hangs on it.
        for _ in 0..ATTEMPTS {
            let mut there = None;
            let look = async || {
                there = Version::from_reply(&ask().await?);
                Ok(there.is_none())
            };
            if self.set_watched(&key, look, set(None)).await? {
                return Ok(fresh);
            }
            if let Some(version) = there {
                return Ok(version);
            }
        }
        Err(RedisError::Unreachable(format!("{key} changes all the time")))
    }

    /// The numbers under keys like [`Entry::other_keys`], from this instance's memory where it has them. They may have
    /// changed: see [`Cache::still_numbers`].
    pub(crate) async fn known_numbers(
        &self,
        keys: impl Iterator<Item = &String>,
    ) -> Result<HashMap<String, Version>, RedisError> {
        let mut known = HashMap::new();
        let mut unknown = Vec::new();
        for key in keys {
            match self.numbers.borrow().get(key) {
                Some(number) => drop(known.insert(key.clone(), *number)),
                None if !unknown.contains(key) => unknown.push(key.clone()),
                None => {}
            }
        }
        if !unknown.is_empty() {
            let replies = self.call("MGET", unknown.iter().map(|key| key.as_str().into()).collect()).await?;
            for (key, current) in unknown.into_iter().zip(replies) {
                let number = self.start_version(key.clone(), current, None).await?;
                self.remember(key.clone(), Some(number));
                known.insert(key, number);
            }
        }
        Ok(known)
    }

    /// Whether `known` is what Redis has; what it has is remembered.
    pub(crate) async fn still_numbers(&self, known: &HashMap<String, Version>) -> Result<bool, RedisError> {
        let replies = self.call("MGET", known.keys().map(|key| key.as_str().into()).collect()).await?;
        let mut still = true;
        for ((key, number), reply) in known.iter().zip(replies) {
            let current = Version::from_reply(&reply);
            still &= current == Some(*number);
            self.remember(key.clone(), current);
        }
        Ok(still)
    }

    fn remember(&self, key: String, number: Option<Version>) {
        let mut numbers = self.numbers.borrow_mut();
        if numbers.len() >= REMEMBERED_MAX {
            numbers.clear();
        }
        match number {
            Some(number) => drop(numbers.insert(key, number)),
            None => drop(numbers.remove(&key)),
        }
    }

    pub(crate) fn fresh_version(&self) -> Version {
        Version::fresh(self.runtime.unix_ms(), self.runtime.random_u64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_basis_is_what_its_text_says() {
        let basis = Basis::test(1 << 61, 0xabc);
        assert_eq!(basis.to_string(), format!("{}:000000000abc", 1u64 << 61));
        assert_eq!(Basis::parse(&basis.to_string()), Some(basis));
        for other in ["", "1:0", "x:0", "2305843009213693952", "2305843009213693952:x"] {
            assert_eq!(Basis::parse(other), None, "{other}");
        }
    }

    #[test]
    fn every_number_matters_and_so_does_its_place() {
        let number = |n: i64| Reply::Int((1 << 61) + n);
        let basis = |version, others: &[i64]| {
            let others: Vec<Reply> = others.iter().map(|n| number(*n)).collect();
            Basis::from_replies(&number(version), &others)
        };
        let all = [basis(1, &[1, 2]), basis(2, &[1, 2]), basis(1, &[2, 1]), basis(1, &[1, 3]), basis(1, &[1, 2, 0])];
        for (at, one) in all.iter().enumerate() {
            assert!(one.is_some());
            assert!(all[..at].iter().all(|other| other != one));
        }
        assert_eq!(Basis::from_replies(&number(1), &[Reply::Nil, number(1)]), None);
        assert_eq!(Basis::from_replies(&Reply::Int(1), &[number(1)]), None, "the INCR of a lost version");
    }
}
