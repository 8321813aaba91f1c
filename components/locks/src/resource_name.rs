//! The name of a resource as the last segment of a path, percent-encoded.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use percent_encoding::percent_decode_str;
use problem::{FieldError, Problem};
use spin_adapter::http::Failure;
use token_lock::Resource;

/// The path parameter `resource`: whatever stands after the last slash, so that a resource may be called as a route is
/// (`acquire`). A slash of its own is written `%2F`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceName(pub Resource);

impl<S: Send + Sync> FromRequestParts<S> for ResourceName {
    type Rejection = Failure;

    /// # Errors
    /// The problem that names it.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let segment = parts.uri.path().rsplit('/').next().unwrap_or_default();
        let resource = decode(segment).and_then(|name| Resource::new(name).map_err(|error| error.to_string()));
        resource.map(Self).map_err(|detail| Problem::parameters(vec![FieldError::field("resource", detail)]).into())
    }
}

/// Undoes percent-encoding (RFC 3986, section 2.1). A `%` that starts no octet is refused: `50%` would be taken for `50%`
/// and `50%25` for the same, so a client that forgot to encode would notice only when it locks `50%25`.
fn decode(segment: &str) -> Result<String, String> {
    let starts_octet =
        |rest: &str| rest.as_bytes().get(..2).is_some_and(|octet| octet.iter().all(u8::is_ascii_hexdigit));
    if !segment.split('%').skip(1).all(starts_octet) {
        return Err("must be percent-encoded: a bare % is written %25".to_owned());
    }
    let name = percent_decode_str(segment).decode_utf8();
    name.map(String::from).map_err(|_| "must be percent-encoded UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_are_decoded() {
        for (segment, name) in [
            ("orders", "orders"),
            ("a%2Fb", "a/b"),
            ("a%2fb", "a/b"),
            ("%C3%A9", "é"),
            ("100%25", "100%"),
            ("%2525", "%25"),
            ("a+b", "a+b"),
            ("a:b", "a:b"),
            ("%00%0A", "\0\n"),
        ] {
            assert_eq!(decode(segment).as_deref(), Ok(name));
        }
    }

    #[test]
    fn what_is_not_percent_encoded_utf_8_is_refused() {
        for bad in ["%", "a%", "%2", "%zz", "%%", "a%2Gb", "%C3", "%FF", "%C3%28"] {
            assert!(decode(bad).is_err(), "{bad}");
        }
    }
}
