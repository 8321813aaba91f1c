//! The keys of this API, in paths and in bodies.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use http_api::{Errors, Problem, path};

/// Bytes of a key, at most.
pub const KEY_MAX: usize = 512;
/// Keys of one request, at most.
pub const KEYS_MAX: usize = 1_000;
/// Bytes of a body with keys only, at most: a thousand of the longest, with every byte written as an escape sequence.
pub const KEYS_BODY_MAX: usize = 4 * 1024 * 1024;

/// Any text of 1 to 512 bytes; also the extractor of the last segment of the path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(String);

impl Key {
    /// The key that is written as `text`.
    ///
    /// # Errors
    /// The detail: what it must be.
    pub fn new(text: String) -> Result<Self, String> {
        check_length(text).map(Self)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The keys of a body's member `keys`, duplicates included.
    pub fn list(texts: Option<Vec<String>>, errors: &mut Errors) -> Option<Vec<Self>> {
        let texts = errors.required("/keys", texts, |texts| match texts.len() {
            1..=KEYS_MAX => Ok(texts),
            _ => Err(format!("must have 1 to {KEYS_MAX} elements")),
        })?;
        errors.each("/keys", texts, |errors, text| errors.check("", Self::new(text)))
    }
}

/// The rule for the length of keys and patterns.
///
/// # Errors
/// The detail: what it must be.
pub fn check_length(text: String) -> Result<String, String> {
    match text.len() {
        1..=KEY_MAX => Ok(text),
        _ => Err(format!("must have 1 to {KEY_MAX} bytes")),
    }
}

impl<S: Sync> FromRequestParts<S> for Key {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        path::last_segment(parts.uri.path(), "key", Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_to_512_bytes() {
        let is_key = |text: &str| Key::new(text.to_owned()).is_ok();
        for good in ["k", "a:b/c d", "\0", &"k".repeat(KEY_MAX), &"é".repeat(KEY_MAX / 2)] {
            assert!(is_key(good), "{good:?}");
        }
        for bad in ["", &"k".repeat(KEY_MAX + 1), &"é".repeat(KEY_MAX / 2 + 1)] {
            assert!(!is_key(bad), "{bad:?}");
        }
    }
}
