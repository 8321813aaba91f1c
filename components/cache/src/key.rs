//! The key of a cached value as clients write it.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use problem::{FieldError, Problem};
use spin_adapter::http::Failure;

use crate::path::last_segments;

/// Bytes of a key, at most.
pub const KEY_MAX: usize = 512;

/// What a key in a path must be, in words.
const EXPECTED: &str = "must be percent-encoded UTF-8 of 1 to 512 bytes";

/// All but the unreserved characters (RFC 3986, section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Any text of 1 to 512 bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(String);

impl Key {
    /// The key that `text` is; `None` when it is empty or too long.
    pub fn new(text: String) -> Option<Self> {
        (1..=KEY_MAX).contains(&text.len()).then_some(Self(text))
    }

    /// The key as a segment of a path.
    pub fn to_path_segment(&self) -> String {
        utf8_percent_encode(&self.0, RESERVED).to_string()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Key {
    type Rejection = Failure;

    /// The last segment of the path.
    ///
    /// # Errors
    /// The problem that names it.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let [segment] = last_segments(parts.uri.path());
        segment.and_then(Self::new).ok_or_else(|| Problem::parameters(vec![FieldError::field("key", EXPECTED)]).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_to_512_bytes() {
        let is_key = |text: &str| Key::new(text.to_owned()).is_some();
        for good in ["k", "a:b/c d", "\0", &"k".repeat(KEY_MAX), &"é".repeat(KEY_MAX / 2)] {
            assert!(is_key(good), "{good:?}");
        }
        for bad in ["", &"k".repeat(KEY_MAX + 1), &"é".repeat(KEY_MAX / 2 + 1)] {
            assert!(!is_key(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_key_comes_back_from_its_path_segment() {
        for text in ["a:b/c d", "..", "é%2F", "-._~", "\"\\\n"] {
            let segment = Key::new(text.to_owned()).unwrap().to_path_segment();
            assert!(segment.is_ascii() && !segment.contains('/'), "{segment}");
            assert_eq!(last_segments(&format!("/x/{segment}")), [Some(text.to_owned())]);
        }
        assert_eq!(Key::new("a:b/c é".to_owned()).unwrap().to_path_segment(), "a%3Ab%2Fc%20%C3%A9");
    }
}
