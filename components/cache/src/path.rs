//! The segments of a path, read more strictly than the router's own decoder does: it takes a percent sign without two
//! hexadecimal digits for itself.

use percent_encoding::percent_decode_str;

/// The last `N` segments, percent-decoded. `None` for one that is not UTF-8 or has a percent sign without two
/// hexadecimal digits, and where the path has fewer segments.
pub fn last_segments<const N: usize>(path: &str) -> [Option<String>; N] {
    let mut segments = path.rsplit('/');
    let mut last = [const { None }; N];
    for place in last.iter_mut().rev() {
        *place = segments.next().and_then(decode);
    }
    last
}

fn decode(segment: &str) -> Option<String> {
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' && !(0..2).all(|_| bytes.next().is_some_and(|digit| digit.is_ascii_hexdigit())) {
            return None;
        }
    }
    Some(percent_decode_str(segment).decode_utf8().ok()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(path: &str) -> Option<String> {
        let [segment] = last_segments(path);
        segment
    }

    #[test]
    fn segments_may_hold_any_text() {
        for (path, text) in [
            ("/api/cache/user:1:profile", "user:1:profile"),
            ("/api/cache/%73tats", "stats"),
            ("/a%2Fb%2fc+d", "a/b/c+d"),
            ("/%C3%A9%00%25", "é\0%"),
            ("/é", "é"),
            ("/a/", ""),
        ] {
            assert_eq!(last(path).as_deref(), Some(text));
        }
        assert_eq!(last_segments("/admin/a%2Fb/c"), [Some("a/b".to_owned()), Some("c".to_owned())]);
        assert_eq!(last_segments("c"), [None, Some("c".to_owned())]);
    }

    #[test]
    fn what_cannot_be_decoded_is_nothing() {
        for bad in ["%", "a%2", "%zz", "%2G", "100%", "%+1", "%FF", "%C3", "%ED%A0%80"] {
            assert_eq!(last(bad), None, "{bad}");
        }
    }
}
