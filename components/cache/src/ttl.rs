//! How long entries live: what clients may ask for, and what holds when they do not.

use problem::FieldError;
use serde_json::Number;
use versioned_cache::Ttl;

/// A number of seconds.
pub type Seconds = u64;

/// Thirty days.
pub const MAX_S: Seconds = 30 * 24 * 60 * 60;

/// How long "the origin has no such thing" is kept, in seconds: long enough to keep a burst away from it, and short
/// enough that nobody waits for what has just been made.
const ABSENT_S: Seconds = 5;

/// An entry of `found_s` seconds. What is kept shorter than "there is no such thing" keeps that no longer.
pub fn of(found_s: Seconds) -> Ttl {
    Ttl { found_s, absent_s: ABSENT_S.min(found_s) }
}

/// The member `ttl` of a body, in seconds; if it is not one, that goes to `errors`.
pub fn member(number: Option<Number>, errors: &mut Vec<FieldError>) -> Option<Seconds> {
    let number = number?;
    let seconds = number.as_u64().filter(|seconds| (1..=MAX_S).contains(seconds));
    if seconds.is_none() {
        errors.push(FieldError::at("/ttl", format!("must be a whole number of seconds from 1 to {MAX_S}")));
    }
    seconds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_have_the_bounds_of_parameters() {
        let read = |text: &str| {
            let mut errors = Vec::new();
            let seconds = member(Some(serde_json::from_str(text).unwrap()), &mut errors);
            (seconds, errors.len())
        };
        assert_eq!(read("1"), (Some(1), 0));
        assert_eq!(read("2592000"), (Some(MAX_S), 0));
        for bad in ["0", "-1", "1.5", "60.0", "2592001", "1e30"] {
            assert_eq!(read(bad), (None, 1), "{bad}");
        }
        assert_eq!(member(None, &mut Vec::new()), None);
    }

    #[test]
    fn absence_never_outlives_a_value() {
        assert_eq!(of(60), Ttl { found_s: 60, absent_s: 5 });
        assert_eq!(of(2), Ttl { found_s: 2, absent_s: 2 });
    }
}
