//! Segments of paths. The decoding is stricter than axum's: axum accepts a percent sign without two hexadecimal digits,
//! so `50%` and `50%25` would name the same resource.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::validation::Errors;
use crate::problem::Problem;

/// All but the unreserved characters (RFC 3986, section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The last segment of a path, decoded and checked by `rule`; `name` is the parameter's name.
///
/// # Errors
/// The problem that names the parameter.
pub fn last_segment<T>(path: &str, name: &str, rule: impl FnOnce(String) -> Result<T, String>) -> Result<T, Problem> {
    let [segment] = last_segments(path);
    checked(segment, name, rule)
}

/// The segment at position `at` of a path (0: the first), decoded and checked by `rule`; `name` is the parameter's
/// name.
///
/// # Errors
/// The problem that names the parameter.
pub fn segment<T>(
    path: &str,
    at: usize,
    name: &str,
    rule: impl FnOnce(String) -> Result<T, String>,
) -> Result<T, Problem> {
    let mut segments = path.trim_start_matches('/').split('/');
    let segment = segments.nth(at).ok_or("is missing").and_then(decode).map_err(str::to_owned);
    checked(segment, name, rule)
}

fn checked<T>(
    segment: Result<String, String>,
    name: &str,
    rule: impl FnOnce(String) -> Result<T, String>,
) -> Result<T, Problem> {
    let mut errors = Errors::in_parameters();
    let value = errors.check(name, segment.and_then(rule));
    errors.finish(value)
}

/// The last `N` segments of a path, decoded. An error is a detail for [`Errors`]: a segment that is missing
/// or not percent-encoded UTF-8.
pub fn last_segments<const N: usize>(path: &str) -> [Result<String, String>; N] {
    let mut segments = path.rsplit('/');
    let mut last = [const { Ok(String::new()) }; N];
    for place in last.iter_mut().rev() {
        *place = segments.next().ok_or("is missing").and_then(decode).map_err(str::to_owned);
    }
    last
}

/// Any text as one segment of a path.
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

fn decode(segment: &str) -> Result<String, &'static str> {
    let starts_octet =
        |rest: &str| rest.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    if !segment.split('%').skip(1).all(starts_octet) {
        return Err("must be percent-encoded: a bare % is written %25");
    }
    let text = percent_decode_str(segment).decode_utf8();
    text.map(String::from).map_err(|_| "must be percent-encoded UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(path: &str) -> Result<String, String> {
        let [segment] = last_segments(path);
        segment
    }

    #[test]
    fn segments_may_hold_any_text() {
        for (path, text) in [
            ("/api/cache/user:1:profile", "user:1:profile"),
            ("/api/cache/%73tats", "stats"),
            ("/a%2Fb%2fc+d", "a/b/c+d"),
            ("/%C3%A9%00%0A%25", "é\0\n%"),
            ("/100%25", "100%"),
            ("/%2525", "%25"),
            ("/é", "é"),
            ("/a/", ""),
        ] {
            assert_eq!(last(path).as_deref(), Ok(text));
        }
        assert_eq!(last_segments("/admin/a%2Fb/c"), [Ok("a/b".to_owned()), Ok("c".to_owned())]);
        assert_eq!(last_segments("c"), [Err("is missing".to_owned()), Ok("c".to_owned())]);
    }

    #[test]
    fn what_cannot_be_decoded_is_an_error() {
        for bad in ["%", "a%", "%%", "a%2", "%zz", "%2G", "a%2Gb", "100%", "%+1", "%FF", "%C3", "%C3%28", "%ED%A0%80"] {
            assert!(last(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn text_survives_encoding() {
        for text in ["a:b/c d", "..", "é%2F", "-._~", "\"\\\n"] {
            let segment = encode(text);
            assert!(segment.is_ascii() && !segment.contains('/'), "{segment}");
            assert_eq!(last(&format!("/x/{segment}")).as_deref(), Ok(text));
        }
        assert_eq!(encode("a:b/c é"), "a%3Ab%2Fc%20%C3%A9");
    }
}
