//! `If-Match` and `If-None-Match`, compared with a slow parser that works in another way.

use axum::extract::FromRequestParts;
use axum::http::header::{HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, Request};
use futures_util::FutureExt;
use http_api::{ETag, Preconditions};

/// What the fields of one name say: weak or not, and the text between the quotes.
enum Tags {
    Absent,
    Star,
    List(Vec<(bool, Vec<u8>)>),
}

/// The lines of the input are values of `If-Match`, or after `!` of `If-None-Match`. Both parsers must agree whether they
/// are well-formed, and what they allow in each version.
pub fn conditions(bytes: &[u8]) {
    let mut request = Request::put("/").body(()).expect("valid");
    for line in bytes.split(|byte| *byte == b'\n').take(4) {
        let (name, value) = line.strip_prefix(b"!").map_or((IF_MATCH, line), |value| (IF_NONE_MATCH, value));
        let Ok(value) = HeaderValue::from_bytes(value) else { return };
        request.headers_mut().append(name, value);
    }
    let expected = (tags(request.headers(), IF_MATCH), tags(request.headers(), IF_NONE_MATCH));
    let (mut parts, ()) = request.into_parts();
    let found = Preconditions::from_request_parts(&mut parts, &()).now_or_never().expect("it waits for nothing");
    let (found, if_match, if_none_match) = match (found, expected) {
        (Ok(found), (Some(if_match), Some(if_none_match))) => (found, if_match, if_none_match),
        (Err(problem), (None, _) | (_, None)) => return assert_eq!(problem.status().as_u16(), 400),
        (found, _) => panic!("the parsers disagree: {found:?}"),
    };
    for version in [1, 2, 3, 10, i64::MAX] {
        let strong = matches!(if_match, Tags::Absent) || names(&if_match, version, false);
        let holds = strong && !names(&if_none_match, version, true);
        assert_eq!(found.check(Some(&ETag::of_version(version))).is_ok(), holds, "{found:?} {version}");
        assert_eq!(found.versions().allow(version), holds, "{found:?} {version}");
    }
}

fn names(tags: &Tags, version: i64, weak: bool) -> bool {
    match tags {
        Tags::Absent => false,
        Tags::Star => true,
        Tags::List(tags) => {
            tags.iter().any(|(is_weak, text)| (weak || !is_weak) && *text == version.to_string().as_bytes())
        }
    }
}

fn tags(headers: &HeaderMap, name: HeaderName) -> Option<Tags> {
    let (mut stars, mut list, mut fields) = (0, Vec::new(), 0);
    for value in headers.get_all(name) {
        fields += 1;
        match value.as_bytes().trim_ascii() {
            b"*" => stars += 1,
            value => list.extend(elements(value)?),
        }
    }
    match (fields, stars, list.is_empty()) {
        (0, ..) => Some(Tags::Absent),
        (_, 0, _) => Some(Tags::List(list)),
        (_, 1, true) => Some(Tags::Star),
        _ => None,
    }
}

/// Splits at the commas outside of quotes first, then looks at each element.
fn elements(value: &[u8]) -> Option<Vec<(bool, Vec<u8>)>> {
    let mut is_quoted = false;
    let parts = value.split(|byte| {
        is_quoted ^= *byte == b'"';
        *byte == b',' && !is_quoted
    });
    let parts: Vec<&[u8]> = parts.map(<[u8]>::trim_ascii).filter(|part| !part.is_empty()).collect();
    let element = |part: &&[u8]| {
        let (is_weak, quoted) = part.strip_prefix(b"W/").map_or((false, *part), |quoted| (true, quoted));
        let text = quoted.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        let is_text = text.iter().all(|byte| matches!(byte, 0x21 | 0x23..=0x7e | 0x80..));
        is_text.then(|| (is_weak, text.to_vec()))
    };
    parts.iter().map(element).collect()
}
