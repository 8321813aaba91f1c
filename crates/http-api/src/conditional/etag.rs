//! Entity tags of representations (RFC 9110, section 8.8.3).

use std::fmt::Display;

use axum::http::HeaderValue;
use axum::http::header::{ETAG, HeaderName};
use xxhash_rust::xxh3::xxh3_128;

/// A strong entity tag: the text between the quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ETag(String);

impl ETag {
    /// The tag of a resource in this version: `"3"`.
    pub fn of_version(version: impl Display) -> Self {
        Self(version.to_string())
    }

    /// The tag of a JSON object whose last member is `version`: that version. It is found without parsing the JSON. For
    /// any other JSON, a hash.
    pub fn of_last_version(json: &[u8]) -> Self {
        last_version(json).map_or_else(|| Self::of_bytes(json), Self::of_version)
    }

    /// The tag of any bytes: their hash.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(format!("{:032x}", xxh3_128(bytes)))
    }

    /// The name and the value of the `ETag` field.
    pub fn field(&self) -> (HeaderName, HeaderValue) {
        (
            ETAG,
            HeaderValue::try_from(format!("\"{}\"", self.0)).expect("digits and letters in quotes are a field value"),
        )
    }

    /// The text between the quotes.
    pub(super) fn opaque(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// The digits of the last member, if that is `version`.
fn last_version(json: &[u8]) -> Option<&str> {
    let digits = json.strip_suffix(b"}")?;
    let colon = digits.iter().rposition(|byte| !byte.is_ascii_digit())?;
    let (before, digits) = digits.split_at(colon + 1);
    let digits = std::str::from_utf8(digits).ok()?;
    (before.ends_with(b"\"version\":") && !digits.is_empty()).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_quoted() {
        assert_eq!(ETag::of_version(37).field(), (ETAG, HeaderValue::from_static("\"37\"")));
        assert_eq!(ETag::of_bytes(b"").field().1, "\"99aa06d3014798d86001c324468d497f\"");
    }

    #[test]
    fn the_version_of_json_is_its_last_member() {
        assert_eq!(ETag::of_last_version(br#"{"id":1,"version":37}"#), ETag::of_version(37));
        for other in
            [&br#"{"id":1}"#[..], br#"{"version":}"#, br#"{"version":"3"}"#, b"", b"}", b"3}", br#"{"version":3} "#]
        {
            assert_eq!(ETag::of_last_version(other), ETag::of_bytes(other), "{}", String::from_utf8_lossy(other));
        }
    }
}
