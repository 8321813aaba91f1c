//! Entity tags and the conditions that name them (RFC 9110, sections 8.8.3 and 13.1).

use axum::http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue};
use problem::{FieldError, Problem};
use xxhash_rust::xxh3::xxh3_128;

/// A strong entity tag: the text between the quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntityTag(String);

impl EntityTag {
    /// The tag of a row's version: `"3"`.
    pub fn of_version(version: i32) -> Self {
        Self(version.to_string())
    }

    /// The tag of a user's JSON: that of its version, which is the last member. `None` when there is none.
    pub fn of_user(json: &[u8]) -> Option<Self> {
        let digits = json.strip_suffix(b"}")?;
        let colon = digits.iter().rposition(|byte| !byte.is_ascii_digit())?;
        let (before, digits) = digits.split_at(colon + 1);
        let version = std::str::from_utf8(digits).ok()?;
        (before.ends_with(b"\"version\":") && !version.is_empty()).then(|| Self(version.to_owned()))
    }

    /// The tag of any bytes: their hash.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(format!("{:032x}", xxh3_128(bytes)))
    }

    /// The value of the `ETag` field.
    pub fn to_header(&self) -> HeaderValue {
        HeaderValue::try_from(format!("\"{}\"", self.0)).expect("digits and letters in quotes are a field value")
    }
}

/// What `If-Match` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing, or that there is a user at all (`*`).
    Any,
    /// One of these versions. May be empty: no version will do.
    Versions(Vec<i32>),
}

impl Precondition {
    /// Reads `If-Match`. Weak tags, and tags that are not versions, match no version.
    ///
    /// # Errors
    /// The field is there and is neither `*` nor a list of entity tags.
    pub fn from_headers(headers: &HeaderMap) -> Result<Self, Problem> {
        match tags(headers, IF_MATCH) {
            Ok(Tags::Absent | Tags::Star) => Ok(Self::Any),
            Ok(Tags::List(tags)) => {
                let strong = tags.iter().filter(|tag| !tag.weak);
                Ok(Self::Versions(strong.filter_map(|tag| version(&tag.opaque)).collect()))
            }
            Err(Malformed) => {
                let detail = "must be * or a list of entity tags in quotes";
                Err(Problem::parameters(vec![FieldError::field("if-match", detail)]))
            }
        }
    }
}

/// Whether `If-None-Match` names the tag: then the client has the current representation. The comparison is weak; a
/// field that is not understood names nothing.
pub fn is_known(headers: &HeaderMap, tag: &EntityTag) -> bool {
    match tags(headers, IF_NONE_MATCH) {
        Ok(Tags::Star) => true,
        Ok(Tags::List(tags)) => tags.iter().any(|known| known.opaque == tag.0),
        Ok(Tags::Absent) | Err(Malformed) => false,
    }
}

/// The version that a tag stands for, when it is written as this service writes it.
fn version(opaque: &str) -> Option<i32> {
    opaque.parse().ok().filter(|version: &i32| *version > 0 && version.to_string() == opaque)
}

struct Malformed;

#[derive(Debug, PartialEq)]
struct Tag {
    weak: bool,
    opaque: String,
}

enum Tags {
    Absent,
    Star,
    List(Vec<Tag>),
}

fn tags(headers: &HeaderMap, name: HeaderName) -> Result<Tags, Malformed> {
    let mut list = Vec::new();
    let mut star = false;
    for value in headers.get_all(&name) {
        let value = value.to_str().map_err(|_| Malformed)?.trim_matches([' ', '\t']);
        if value == "*" {
            star = true;
        } else {
            parse_list(value, &mut list)?;
        }
    }
    match (star, list.is_empty()) {
        (true, true) => Ok(Tags::Star),
        (false, false) => Ok(Tags::List(list)),
        (false, true) if !headers.contains_key(name) => Ok(Tags::Absent),
        _ => Err(Malformed),
    }
}

/// `"a", W/"b"`: tags may hold commas, and elements may be empty.
fn parse_list(mut rest: &str, list: &mut Vec<Tag>) -> Result<(), Malformed> {
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Ok(());
        }
        let (weak, quoted) = rest.strip_prefix("W/").map_or((false, rest), |strong| (true, strong));
        let (opaque, after) = quoted.strip_prefix('"').and_then(|text| text.split_once('"')).ok_or(Malformed)?;
        if opaque.bytes().any(|byte| byte == b' ' || byte == b'\t') {
            return Err(Malformed);
        }
        list.push(Tag { weak, opaque: opaque.to_owned() });
        rest = after.trim_start_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with(',') {
            return Err(Malformed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn the_tag_of_a_user_is_its_version() {
        assert_eq!(EntityTag::of_user(br#"{"id":1,"version":37}"#), Some(EntityTag::of_version(37)));
        assert_eq!(EntityTag::of_version(37).to_header(), "\"37\"");
        for other in
            [&br#"{"id":1}"#[..], br#"{"version":}"#, br#"{"version":"3"}"#, b"", b"}", b"3}", br#"{"version":3} "#]
        {
            assert_eq!(EntityTag::of_user(other), None, "{}", String::from_utf8_lossy(other));
        }
    }

    #[test]
    fn if_none_match_compares_weakly() {
        let tag = EntityTag::of_version(3);
        for known in [&["\"3\""][..], &["W/\"3\""], &["\"1\", W/\"3\""], &["\"1\"", "\"3\""], &["*"], &[" , \"3\" ,"]] {
            assert!(is_known(&headers(IF_NONE_MATCH, known), &tag), "{known:?}");
        }
        for unknown in [&["\"33\""][..], &["3"], &["\"1,3\""], &["\"3"], &[""], &["w/\"3\""], &["\"1\" \"3\""]] {
            assert!(!is_known(&headers(IF_NONE_MATCH, unknown), &tag), "{unknown:?}");
        }
        assert!(!is_known(&HeaderMap::new(), &tag));
    }

    #[test]
    fn if_match_compares_strongly() {
        let read = |values: &[&str]| Precondition::from_headers(&headers(IF_MATCH, values)).ok();
        assert_eq!(read(&[]), Some(Precondition::Any));
        assert_eq!(read(&["*"]), Some(Precondition::Any));
        assert_eq!(read(&["\"3\", \"5\"", "\"7\""]), Some(Precondition::Versions(vec![3, 5, 7])));
        for never in ["W/\"3\"", "\"abc\"", "\"03\"", "\"+3\"", "\"0\"", "\"99999999999\"", "\"a,b\""] {
            assert_eq!(read(&[never]), Some(Precondition::Versions(vec![])), "{never}");
        }
        for malformed in ["3", "", "\"3", "*, \"3\"", "\"3\" x", "\"a b\""] {
            assert_eq!(read(&[malformed]), None, "{malformed}");
        }
    }
}
