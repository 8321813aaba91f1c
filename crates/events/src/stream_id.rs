//! Ids of stream entries.

use std::fmt;
use std::str::FromStr;

/// The id of an entry: milliseconds since the Unix epoch by the clock of Redis, and a number within the millisecond.
/// Later entries have greater ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamId {
    ms: u64,
    number: u64,
}

/// A text that is not the id of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be the id of an event, such as 1795233532288-0")]
pub struct InvalidStreamId;

impl StreamId {
    /// Before all entries: no entry has this id.
    pub const ZERO: Self = Self { ms: 0, number: 0 };

    /// The position of a reader that began when the stream was empty. No entry has this id: Redis counts from the
    /// clock.
    pub const START: Self = Self { ms: 0, number: 1 };
}

impl FromStr for StreamId {
    type Err = InvalidStreamId;

    /// Reads `1795233532288-0`; without the second number it is 0.
    fn from_str(text: &str) -> Result<Self, InvalidStreamId> {
        let (ms, number) = text.split_once('-').unwrap_or((text, "0"));
        Ok(Self { ms: decimal(ms)?, number: decimal(number)? })
    }
}

/// Digits only: Rust also accepts a plus sign.
fn decimal(text: &str) -> Result<u64, InvalidStreamId> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().ok_or(InvalidStreamId)
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_and_written_as_redis_does() {
        for (text, written) in [("1795233532288-7", "1795233532288-7"), ("12", "12-0"), ("0", "0-0")] {
            assert_eq!(text.parse::<StreamId>().map(|id| id.to_string()).as_deref(), Ok(written));
        }
        for bad in ["", "-", "1-", "-1", "1-2-3", "+1-0", "1-+2", "a", "1 ", "18446744073709551616-0", "$", "1-*"] {
            assert_eq!(bad.parse::<StreamId>(), Err(InvalidStreamId), "{bad:?}");
        }
    }

    #[test]
    fn ids_are_ordered_by_number() {
        let id = |text: &str| text.parse::<StreamId>().unwrap();
        assert!(id("9-0") < id("10-0") && id("10-2") < id("10-10") && StreamId::ZERO < id("0-1"));
    }
}
