//! Requests: the first line, the target, paths and query strings.

use axum::http::uri::Authority;
use axum::http::{Method, Request, Uri};
use http_api::{Errors, path, query};

use crate::request_line::{self, Finding};
use crate::validity;

/// Only the minor version of a line may change, and only to 1.
pub fn request_line(bytes: &[u8]) {
    if bytes.contains(&b'\n') {
        return;
    }
    let mut after = bytes.to_vec();
    let finding = request_line::check(&mut after);
    let changes: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != after[*at]).collect();
    let minor = bytes.len() - usize::from(bytes.ends_with(b"\r"));
    match changes[..] {
        [] => assert_ne!(finding, Finding::Lowered),
        [at] => {
            assert!(at + 1 == minor && after[at] == b'1' && matches!(finding, Finding::Lowered | Finding::Fragment));
            let text = str::from_utf8(&bytes[..at]).unwrap_or("");
            assert!(text.ends_with("HTTP/1.") || !bytes.is_ascii(), "{text}");
        }
        _ => panic!("{changes:?}"),
    }
    if finding == Finding::Fragment {
        assert!(bytes.contains(&b'#'));
    }
}

/// The lines are a method, a target and values of `Host`. What is accepted is an absolute URI of a host without a user,
/// and `Host` agrees with an absolute target.
pub fn request_validity(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let (Some(method), Some(target)) = (lines.next(), lines.next()) else { return };
    let (Ok(method), Ok(target)) = (Method::from_bytes(method), Uri::try_from(target)) else { return };
    let absolute = target.authority().is_some();
    let host =
        lines.take(2).fold(Request::builder().method(method).uri(target), |request, host| request.header("host", host));
    let Ok(mut request) = host.body(()) else { return };
    match validity::check(&mut request, &Authority::from_static("127.0.0.1:3000")) {
        Ok(()) => {
            let uri = request.uri();
            let authority = uri.authority().expect("it is absolute");
            assert_eq!(uri.scheme_str(), Some("http"));
            assert!(!authority.host().is_empty() && !authority.as_str().contains('@'), "{uri}");
            assert!(uri.path_and_query().is_some_and(|path| path.as_str().is_ascii()), "{uri}");
            if absolute {
                let host = request.headers()["host"].as_bytes();
                assert!(host.eq_ignore_ascii_case(authority.as_str().as_bytes()), "{host:?} {authority}");
            }
        }
        Err((status, detail)) => assert!([400, 421, 501].contains(&status.as_u16()) && !detail.is_empty()),
    }
}

/// A segment that is accepted is the same when it is encoded again, and any text can be a segment.
pub fn path(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let segment = |path: &str| path::last_segment(path, "key", Ok);
    assert_eq!(segment(&format!("/api/{}", path::encode(text))).ok().as_deref(), Some(text));
    if let Ok(decoded) = segment(text) {
        assert_eq!(segment(&path::encode(&decoded)).ok(), Some(decoded));
    }
}

/// Parameters that are written are read again. A query string names each wrong parameter.
pub fn query(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let mut errors = Errors::in_parameters();
    let [limit, cursor] = query::read(text, ["limit", "cursor"], &mut errors);
    if errors.is_empty() {
        let written = query::write([("limit", limit.clone()), ("cursor", cursor.clone())]);
        let mut errors = Errors::in_parameters();
        assert_eq!(query::read(&written, ["limit", "cursor"], &mut errors), [limit, cursor]);
        assert!(errors.is_empty());
        let next = query::with(text, "cursor", text);
        assert_eq!(query::read(&next, ["limit", "cursor"], &mut errors)[1].as_deref(), Some(text));
        assert!(errors.is_empty());
    } else if let Err(problem) = errors.finish(Some(())) {
        assert!(problem.status().as_u16() == 400 && !problem.errors().is_empty());
    }
}
