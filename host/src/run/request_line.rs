//! The line that starts a request, checked for what hyper cannot report: the version and a fragment.
//!
//! hyper parses the request. It takes only the versions 1.0 and 1.1, answers 400 to all others, and drops fragments.

/// What hyper should know or do about a line.
#[derive(Debug, PartialEq, Eq)]
pub enum Finding {
    /// Nothing. hyper judges it.
    None,
    /// The minor version is higher than 1. The line now says 1.1: a recipient processes such a request as if it had the
    /// highest version that it knows (RFC 9110, section 6.2).
    Lowered,
    /// The major version is not 1: 505 (RFC 9110, section 15.6.6).
    UnknownMajor,
    /// The target has a fragment: 400 (RFC 9112, section 3.2).
    Fragment,
}

/// Checks `line`, without its line feed. Changes the version if it is [`Finding::Lowered`].
pub fn check(line: &mut [u8]) -> Finding {
    let end = line.len() - usize::from(line.ends_with(b"\r"));
    let Some((rest, version)) = line[..end].split_last_chunk_mut::<8>() else { return Finding::None };
    let [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] = version else { return Finding::None };
    let is_known = *major == b'1' && matches!(minor, b'0' | b'1');
    if is_known && !rest.contains(&b'#') {
        return Finding::None;
    }
    if !major.is_ascii_digit() || !minor.is_ascii_digit() || !is_method_and_target(rest) {
        return Finding::None;
    }
    if *major != b'1' {
        return Finding::UnknownMajor;
    }
    if !is_known {
        *minor = b'1';
    }
    if rest.contains(&b'#') { Finding::Fragment } else { Finding::Lowered }
}

/// Whether `text` is `METHOD target `. If a client sends several requests at once, these bytes may also be a part of a
/// header field, which must not change.
fn is_method_and_target(text: &[u8]) -> bool {
    let mut parts = text.split(|byte| *byte == b' ');
    let method = parts.next().is_some_and(|method| !method.is_empty() && method.iter().all(u8::is_ascii_uppercase));
    let target = parts.next().is_some_and(|target| !target.is_empty());
    method && target && parts.next().is_some_and(<[u8]>::is_empty) && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_and_the_target_decide() {
        for (line, finding, after) in [
            ("GET / HTTP/1.1\r", Finding::None, "GET / HTTP/1.1\r"),
            ("GET / HTTP/1.0", Finding::None, "GET / HTTP/1.0"),
            ("GET / HTTP/1.2\r", Finding::Lowered, "GET / HTTP/1.1\r"),
            ("GET / HTTP/2.0\r", Finding::UnknownMajor, "GET / HTTP/2.0\r"),
            ("GET / HTTP/0.9", Finding::UnknownMajor, "GET / HTTP/0.9"),
            ("GET /#a HTTP/1.1\r", Finding::Fragment, "GET /#a HTTP/1.1\r"),
            ("GET /#a HTTP/1.9\r", Finding::Fragment, "GET /#a HTTP/1.1\r"),
            ("GET / HTTP/1.x\r", Finding::None, "GET / HTTP/1.x\r"),
            ("GET /", Finding::None, "GET /"),
            ("\r", Finding::None, "\r"),
            ("", Finding::None, ""),
        ] {
            assert_checked(line, finding, after);
        }
    }

    #[test]
    fn other_lines_stay_as_they_are() {
        for line in ["x-a: b HTTP/1.2\r", "b HTTP/1.2\r", " / HTTP/2.0\r", "GET  / HTTP/1.2\r", "GET /HTTP/1.2\r"] {
            assert_checked(line, Finding::None, line);
        }
    }

    #[track_caller]
    fn assert_checked(line: &str, finding: Finding, after: &str) {
        let mut bytes = line.as_bytes().to_vec();
        assert_eq!(check(&mut bytes), finding, "{line:?}");
        assert_eq!(bytes, after.as_bytes());
    }
}
