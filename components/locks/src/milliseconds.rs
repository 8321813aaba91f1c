//! Durations in bodies: whole milliseconds.

use std::fmt;
use std::ops::RangeInclusive;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use token_lock::MAX_WAIT_MS;

/// How long a lock lives when the request does not say, in milliseconds.
pub const TTL_DEFAULT_MS: u64 = 5_000;
/// How long a request may wait for a lock, in milliseconds.
pub const WAIT_MS: RangeInclusive<u64> = 0..=MAX_WAIT_MS;

/// A whole number in a body; whether it is within bounds is asked later, so that all broken rules are told at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Milliseconds(Option<u64>);

impl Milliseconds {
    /// The number.
    ///
    /// # Errors
    /// It is out of `bounds`: what it must be, in words that follow the member's name.
    pub fn within(self, bounds: &RangeInclusive<u64>) -> Result<u64, String> {
        let expected = || format!("must be a whole number of milliseconds from {} to {}", bounds.start(), bounds.end());
        self.0.filter(|ms| bounds.contains(ms)).ok_or_else(expected)
    }
}

impl<'de> Deserialize<'de> for Milliseconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberVisitor;

        impl Visitor<'_> for NumberVisitor {
            type Value = Milliseconds;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number of milliseconds")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Milliseconds(Some(number)))
            }

            /// Only negative numbers come here.
            fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
                Ok(Milliseconds(None))
            }
        }

        deserializer.deserialize_any(NumberVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use token_lock::TTL_MS;

    fn parse(json: &str) -> Option<Milliseconds> {
        serde_json::from_str(json).ok()
    }

    #[test]
    fn whole_numbers_within_bounds() {
        for (json, ms) in [("10", 10), ("5000", 5_000), ("3600000", 3_600_000)] {
            assert_eq!(parse(json).map(|number| number.within(&TTL_MS)), Some(Ok(ms)));
        }
        for json in ["0", "-1", "9", "3600001", "1000000000000", "18446744073709551615", "-9223372036854775808"] {
            let text = "must be a whole number of milliseconds from 10 to 3600000";
            assert_eq!(parse(json).map(|number| number.within(&TTL_MS)), Some(Err(text.to_owned())), "{json}");
        }
        assert_eq!(parse("0").map(|number| number.within(&WAIT_MS)), Some(Ok(0)));
    }

    #[test]
    fn anything_else_is_of_the_wrong_type() {
        for json in ["1.5", "5000.0", "5e3", "1e30", "18446744073709551616", "\"5s\"", "\"5000\"", "true", "null", "[]"]
        {
            assert_eq!(parse(json), None, "{json}");
        }
    }
}
