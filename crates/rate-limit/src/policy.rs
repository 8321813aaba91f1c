//! How many requests in which window.

use std::str::FromStr;

/// A policy: at most [`Policy::limit`] requests in a window of [`Policy::window_ms`] milliseconds.
///
/// Its text is `LIMIT/WINDOW`, where the window is a whole number of seconds, minutes or hours: `100/60s`, `5/1m`,
/// `1000/1h`. There are no milliseconds, because the field `RateLimit-Policy` gives the window in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    limit: u64,
    window_ms: u64,
}

/// A limit, a window or the text of a policy is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be LIMIT/WINDOW like 100/60s, with a limit from 1 to 1000000 and a window from 1s to 24h")]
pub struct InvalidPolicy;

impl Policy {
    /// The greatest limit. Sorted sets count exactly far beyond it.
    pub const LIMIT_MAX: u64 = 1_000_000;
    /// The shortest window, in milliseconds.
    pub const WINDOW_MIN_MS: u64 = 1_000;
    /// The longest window, in milliseconds: a day.
    pub const WINDOW_MAX_MS: u64 = 24 * 60 * 60 * 1_000;

    /// At most `limit` requests in `window_ms` milliseconds.
    ///
    /// # Errors
    /// The limit is not from 1 to [`Policy::LIMIT_MAX`], or the window not from [`Policy::WINDOW_MIN_MS`] to
    /// [`Policy::WINDOW_MAX_MS`].
    pub fn new(limit: u64, window_ms: u64) -> Result<Self, InvalidPolicy> {
        let valid =
            (1..=Self::LIMIT_MAX).contains(&limit) && (Self::WINDOW_MIN_MS..=Self::WINDOW_MAX_MS).contains(&window_ms);
        valid.then_some(Self { limit, window_ms }).ok_or(InvalidPolicy)
    }

    /// How many requests a window has.
    pub fn limit(self) -> u64 {
        self.limit
    }

    /// The length of a window in milliseconds.
    pub fn window_ms(self) -> u64 {
        self.window_ms
    }
}

impl FromStr for Policy {
    type Err = InvalidPolicy;

    fn from_str(text: &str) -> Result<Self, InvalidPolicy> {
        let (limit, window) = text.split_once('/').ok_or(InvalidPolicy)?;
        let unit_ms = match window.as_bytes().last() {
            Some(b's') => 1_000,
            Some(b'm') => 60 * 1_000,
            Some(b'h') => 60 * 60 * 1_000,
            _ => return Err(InvalidPolicy),
        };
        let window_ms = digits(&window[..window.len() - 1])?.checked_mul(unit_ms).ok_or(InvalidPolicy)?;
        Self::new(digits(limit)?, window_ms)
    }
}

/// A number without a sign; `parse` alone would accept `+5`.
fn digits(text: &str) -> Result<u64, InvalidPolicy> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().map_err(|_| InvalidPolicy)
    } else {
        Err(InvalidPolicy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_has_a_limit_and_a_window_in_seconds_minutes_or_hours() {
        for (text, limit, window_ms) in [
            ("100/60s", 100, 60_000),
            ("5/1m", 5, 60_000),
            ("1000/1h", 1_000, 3_600_000),
            ("1/1s", 1, 1_000),
            ("1000000/24h", 1_000_000, 86_400_000),
        ] {
            assert_eq!(text.parse(), Policy::new(limit, window_ms), "{text}");
            assert!(text.parse::<Policy>().is_ok(), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_policies() {
        for text in [
            "",
            "100",
            "/",
            "100/",
            "/60s",
            "100/60",
            "100/s",
            "0/60s",
            "-1/60s",
            "+1/60s",
            "1.5/60s",
            "1e3/60s",
            "1000001/60s",
            "10/0s",
            "10/500ms",
            "10/25h",
            "10/86401s",
            "10/1d",
            "10/60S",
            "10/60s/2",
            " 10/60s",
            "10/60s ",
            "10 / 60s",
            "10/6 0s",
            "99999999999999999999/1s",
            "1/99999999999999999999s",
            "1/18446744073709551615h",
            "10/6\u{660}s",
            "10/60\u{e9}",
        ] {
            assert_eq!(text.parse::<Policy>(), Err(InvalidPolicy), "{text:?}");
        }
    }
}
