//! The id of a user as clients write it.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use problem::{FieldError, Problem};
use spin_adapter::http::Failure;

/// What an id must be, in words.
pub const EXPECTED: &str = "must be a whole number from 1 to 9223372036854775807";
/// The same for several.
pub const EXPECTED_MANY: &str = "whole numbers from 1 to 9223372036854775807";

/// Reads a positive number in decimal, without sign or leading zeros: each user has one address.
pub fn parse(text: &str) -> Option<i64> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    canonical.then(|| text.parse().ok()).flatten()
}

/// The path parameter `id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserId(pub i64);

impl<S: Send + Sync> FromRequestParts<S> for UserId {
    type Rejection = Failure;

    /// # Errors
    /// The problem that names it.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let text = Path::<String>::from_request_parts(parts, state).await;
        let id = text.ok().and_then(|Path(text)| parse(&text));
        id.map(Self).ok_or_else(|| Problem::parameters(vec![FieldError::field("id", EXPECTED)]).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_positive_numbers() {
        assert_eq!(parse("1"), Some(1));
        assert_eq!(parse("9223372036854775807"), Some(i64::MAX));
        for bad in ["", "0", "01", "+1", "-1", "abc", "1.0", "1e3", " 1", "9223372036854775808", "1x", "١"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
