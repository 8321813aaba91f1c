//! Entity tags and conditional requests (RFC 9110, sections 8.8.3 and 13.1).

use std::convert::Infallible;
use std::fmt::Display;

use axum::body::Bytes;
use axum::extract::FromRequestParts;
use axum::http::header::{ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use xxhash_rust::xxh3::xxh3_128;

use crate::problem::{FieldError, Problem};
use crate::response::json_bytes;

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
}

/// The extractor of `If-Match`: the versions of the resource that the client wants to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// Any version: there is no such field, or it is `*`.
    Any,
    /// One of these. Empty if the field has only weak tags, or tags that are not versions: those match no version.
    Versions(Vec<i32>),
}

impl IfMatch {
    fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        match tags(headers, IF_MATCH) {
            Some(Tags::Absent | Tags::Star) => Ok(Self::Any),
            Some(Tags::List(tags)) => {
                let strong = tags.iter().filter(|tag| !tag.weak);
                Ok(Self::Versions(strong.filter_map(|tag| version(&tag.opaque)).collect()))
            }
            None => {
                let detail = "must be * or a list of entity tags in quotes";
                Err(Problem::parameters(vec![FieldError::field("if-match", detail)]))
            }
        }
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::read(&parts.headers)
    }
}

/// The extractor of `If-None-Match`: the representations that the client has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IfNoneMatch(Tags);

impl IfNoneMatch {
    fn read(headers: &HeaderMap) -> Self {
        // A malformed field matches nothing.
        Self(tags(headers, IF_NONE_MATCH).unwrap_or(Tags::Absent))
    }

    /// Whether the client has the representation with this tag. The comparison is weak.
    pub fn matches(&self, tag: &ETag) -> bool {
        match &self.0 {
            Tags::Star => true,
            Tags::List(tags) => tags.iter().any(|known| known.opaque == tag.0),
            Tags::Absent => false,
        }
    }

    /// 304 if the client has the representation with this tag, else 200 with `json`; both with the tag.
    pub fn respond(&self, tag: &ETag, json: impl Into<Bytes>) -> Response {
        if self.matches(tag) {
            return (StatusCode::NOT_MODIFIED, [tag.field()]).into_response();
        }
        ([tag.field()], json_bytes(StatusCode::OK, json)).into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::read(&parts.headers))
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

/// The version that a tag stands for, if it is written as [`ETag::of_version`] writes it.
fn version(opaque: &str) -> Option<i32> {
    opaque.parse().ok().filter(|version: &i32| *version > 0 && version.to_string() == opaque)
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Tag {
    weak: bool,
    opaque: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Tags {
    Absent,
    Star,
    List(Vec<Tag>),
}

/// The tags of a field; `None` if it is malformed.
fn tags(headers: &HeaderMap, name: HeaderName) -> Option<Tags> {
    let mut list = Vec::new();
    let mut star = false;
    for value in headers.get_all(&name) {
        let value = value.to_str().ok()?.trim_matches([' ', '\t']);
        if value == "*" {
            star = true;
        } else {
            parse_list(value, &mut list)?;
        }
    }
    match (star, list.is_empty()) {
        (true, true) => Some(Tags::Star),
        (false, false) => Some(Tags::List(list)),
        (false, true) if !headers.contains_key(name) => Some(Tags::Absent),
        _ => None,
    }
}

/// Parses `"a", W/"b"`. Tags may contain commas, and elements may be empty.
fn parse_list(mut rest: &str, list: &mut Vec<Tag>) -> Option<()> {
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Some(());
        }
        let (weak, quoted) = rest.strip_prefix("W/").map_or((false, rest), |strong| (true, strong));
        let (opaque, after) = quoted.strip_prefix('"').and_then(|text| text.split_once('"'))?;
        if opaque.bytes().any(|byte| byte == b' ' || byte == b'\t') {
            return None;
        }
        list.push(Tag { weak, opaque: opaque.to_owned() });
        rest = after.trim_start_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::HttpBody;

    fn headers(name: HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), value.parse().unwrap())).collect()
    }

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

    #[test]
    fn a_known_representation_is_not_sent_again() {
        let tag = ETag::of_version(3);
        for (known, status, length) in [("\"3\"", 304, 0), ("\"2\"", 200, 2)] {
            let response = IfNoneMatch::read(&headers(IF_NONE_MATCH, &[known])).respond(&tag, "{}");
            assert_eq!((response.status().as_u16(), response.body().size_hint().exact()), (status, Some(length)));
            assert_eq!(response.headers()["etag"], "\"3\"");
        }
    }

    #[test]
    fn if_none_match_compares_weakly() {
        let tag = ETag::of_version(3);
        for known in [&["\"3\""][..], &["W/\"3\""], &["\"1\", W/\"3\""], &["\"1\"", "\"3\""], &["*"], &[" , \"3\" ,"]] {
            assert!(IfNoneMatch::read(&headers(IF_NONE_MATCH, known)).matches(&tag), "{known:?}");
        }
        for unknown in [&["\"33\""][..], &["3"], &["\"1,3\""], &["\"3"], &[""], &["w/\"3\""], &["\"1\" \"3\""]] {
            assert!(!IfNoneMatch::read(&headers(IF_NONE_MATCH, unknown)).matches(&tag), "{unknown:?}");
        }
        assert!(!IfNoneMatch::read(&HeaderMap::new()).matches(&tag));
    }

    #[test]
    fn if_match_compares_strongly() {
        let read = |values: &[&str]| IfMatch::read(&headers(IF_MATCH, values)).ok();
        assert_eq!(read(&[]), Some(IfMatch::Any));
        assert_eq!(read(&["*"]), Some(IfMatch::Any));
        assert_eq!(read(&["\"3\", \"5\"", "\"7\""]), Some(IfMatch::Versions(vec![3, 5, 7])));
        for never in ["W/\"3\"", "\"abc\"", "\"03\"", "\"+3\"", "\"0\"", "\"99999999999\"", "\"a,b\""] {
            assert_eq!(read(&[never]), Some(IfMatch::Versions(vec![])), "{never}");
        }
        for malformed in ["3", "", "\"3", "*, \"3\"", "\"3\" x", "\"a b\""] {
            assert_eq!(read(&[malformed]), None, "{malformed}");
        }
    }
}
