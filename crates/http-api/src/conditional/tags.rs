//! The value of `If-Match` and `If-None-Match`: `*`, or a list of entity tags (RFC 9110, sections 13.1.1 and 13.1.2).

use axum::http::{HeaderMap, HeaderName};

use super::etag::ETag;

/// What a field says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tags {
    /// There is no such field.
    Absent,
    /// `*`: any current representation.
    Star,
    /// One of these. The list may be empty.
    List(Vec<Tag>),
}

/// An entity tag of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    is_weak: bool,
    /// The text between the quotes. It need not be ASCII.
    opaque: Vec<u8>,
}

/// How two entity tags are compared (RFC 9110, section 8.8.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// A weak tag equals no other.
    Strong,
    /// Only the texts count.
    Weak,
}

impl Tags {
    /// The tags of the fields of this name; `None` if they are malformed.
    pub fn read(headers: &HeaderMap, name: HeaderName) -> Option<Self> {
        let mut values = headers.get_all(name).iter().peekable();
        if values.peek().is_none() {
            return Some(Self::Absent);
        }
        let (mut stars, mut list) = (0, Vec::new());
        for value in values {
            let value = value.as_bytes().trim_ascii();
            if value == b"*" {
                stars += 1;
            } else {
                parse_list(value, &mut list)?;
            }
        }
        match (stars, list.is_empty()) {
            (0, _) => Some(Self::List(list)),
            (1, true) => Some(Self::Star),
            _ => None,
        }
    }

    /// Whether the fields name the current representation. `None`: there is no representation.
    pub fn name(&self, current: Option<&ETag>, comparison: Comparison) -> bool {
        let Some(current) = current else { return false };
        match self {
            Self::Absent => false,
            Self::Star => true,
            Self::List(tags) => tags
                .iter()
                .any(|tag| tag.opaque == current.opaque() && (comparison == Comparison::Weak || !tag.is_weak)),
        }
    }

    /// The versions that the tags stand for.
    pub fn versions(&self, comparison: Comparison) -> Vec<i64> {
        let Self::List(tags) = self else { return Vec::new() };
        let comparable = tags.iter().filter(|tag| comparison == Comparison::Weak || !tag.is_weak);
        comparable.filter_map(|tag| version(&tag.opaque)).collect()
    }
}

/// The version that a tag stands for, if it is written as [`ETag::of_version`] writes it.
fn version(opaque: &[u8]) -> Option<i64> {
    let text = str::from_utf8(opaque).ok()?;
    text.parse().ok().filter(|version: &i64| *version > 0 && version.to_string() == text)
}

/// Parses `"a", W/"b"`. Tags may contain commas, and elements may be empty (RFC 9110, section 5.6.1.2).
fn parse_list(mut rest: &[u8], list: &mut Vec<Tag>) -> Option<()> {
    loop {
        rest = rest.trim_ascii_start();
        if let Some(after) = rest.strip_prefix(b",") {
            rest = after;
            continue;
        }
        if rest.is_empty() {
            return Some(());
        }
        let (is_weak, quoted) = rest.strip_prefix(b"W/").map_or((false, rest), |quoted| (true, quoted));
        let quoted = quoted.strip_prefix(b"\"")?;
        let end = quoted.iter().position(|byte| *byte == b'"')?;
        let (opaque, after) = (&quoted[..end], quoted[end + 1..].trim_ascii_start());
        // etagc: visible characters, and bytes that are not ASCII.
        if opaque.iter().any(|byte| *byte <= b' ' || *byte == 0x7f) || !(after.is_empty() || after.starts_with(b",")) {
            return None;
        }
        list.push(Tag { is_weak, opaque: opaque.to_owned() });
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use axum::http::header::IF_MATCH;

    fn read(values: &[&str]) -> Option<Tags> {
        let value = |value: &&str| (IF_MATCH, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        Tags::read(&values.iter().map(value).collect(), IF_MATCH)
    }

    fn names(values: &[&str], comparison: Comparison) -> bool {
        read(values).expect("well-formed").name(Some(&ETag::of_version(3)), comparison)
    }

    #[test]
    fn comparison_is_strong_or_weak() {
        for both in
            [&["\"3\""][..], &["\"1\",\"3\""], &["\"1\"", "\"3\""], &["*"], &[" , \"3\" ,,"], &["\"\u{e9}\", \"3\""]]
        {
            assert!(names(both, Comparison::Strong) && names(both, Comparison::Weak), "{both:?}");
        }
        for weak in ["W/\"3\"", "\"1\", W/\"3\""] {
            assert!(!names(&[weak], Comparison::Strong) && names(&[weak], Comparison::Weak), "{weak}");
        }
        for neither in [&["\"33\""][..], &["\"1,3\""], &["\"\""], &[""], &[","], &["\"\u{e9}\""], &[]] {
            assert!(!names(neither, Comparison::Strong) && !names(neither, Comparison::Weak), "{neither:?}");
        }
        assert!(!Tags::Star.name(None, Comparison::Weak), "there is no representation");
    }

    #[test]
    fn versions_are_tags_as_this_service_writes_them() {
        let versions = |values: &[&str], comparison| read(values).unwrap().versions(comparison);
        assert_eq!(versions(&["\"3\", W/\"5\"", "\"7\""], Comparison::Strong), [3, 7]);
        assert_eq!(versions(&["\"3\", W/\"5\"", "\"7\""], Comparison::Weak), [3, 5, 7]);
        for other in ["\"abc\"", "\"03\"", "\"+3\"", "\"0\"", "\"-1\"", "\"99999999999999999999\"", "\"a,b\"", "", "*"]
        {
            assert!(versions(&[other], Comparison::Weak).is_empty(), "{other}");
        }
    }

    #[test]
    fn a_malformed_field_is_recognized() {
        assert_eq!(read(&[]), Some(Tags::Absent));
        assert_eq!(read(&[""]), Some(Tags::List(vec![])), "RFC 9110 allows an empty list");
        for malformed in [
            "3",
            "\"3",
            "3\"",
            "*, \"3\"",
            "\"3\" x",
            "\"3\" \"4\"",
            "\"a b\"",
            "\"a\tb\"",
            "w/\"3\"",
            "W/",
            "W/ \"3\"",
            "**",
        ] {
            assert_eq!(read(&[malformed]), None, "{malformed}");
        }
        assert_eq!(read(&["*", "\"3\""]), None);
        assert_eq!(read(&["*", "*"]), None);
    }
}
