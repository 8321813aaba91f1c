//! Successful responses with cached values. A value is sent as the bytes that were stored. Parsing and serializing it
//! again would change numbers, for example 1.10 to 1.1.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use http_api::response::{ChunkedBody, cache_status, json_bytes, to_json};
use http_api::{ETag, Preconditions, Problem};
use versioned_cache::{CacheStatus, Cached, Source};

use crate::described::Described;
use crate::key::Key;

/// A key and its value, which is JSON; or 304, if the client has the value. The tag is that of the value.
///
/// # Errors
/// `If-Match` does not name the value.
pub fn one_value(
    key: &Key,
    value: &[u8],
    status: CacheStatus,
    conditions: &Preconditions,
) -> Result<Response, Problem> {
    value_after(&[b"{\"key\":", &to_json(&key.as_str())], value, status, conditions)
}

/// A described entry and its value, as [`one_value`].
///
/// # Errors
/// As there.
pub fn one_entry(
    entry: &Described,
    value: &[u8],
    status: CacheStatus,
    conditions: &Preconditions,
) -> Result<Response, Problem> {
    let (module, operation) = (to_json(&entry.module), to_json(&entry.operation));
    value_after(&[b"{\"module\":", &module, b",\"operation\":", &operation], value, status, conditions)
}

fn value_after(
    before: &[&[u8]],
    value: &[u8],
    status: CacheStatus,
    conditions: &Preconditions,
) -> Result<Response, Problem> {
    let body = || json_bytes(StatusCode::OK, [&before.concat()[..], b",\"value\":", value, b"}"].concat());
    Ok(([cache_status(status)], conditions.respond_with(&ETag::of_bytes(value), body)?).into_response())
}

/// The status of a value that was read without a fetch.
pub fn status_of(cached: &Cached) -> CacheStatus {
    let ttl_s = Some(cached.ttl_ms.div_ceil(1000) as i64);
    CacheStatus { source: Source::Hit, ttl_s, key: Some(cached.key.clone()) }
}

/// Described entries in the order of the request: whether they were found, and their values. `kept` is dropped with the
/// body.
pub fn many_entries<K: 'static>(values: impl Iterator<Item = Option<Vec<u8>>>, kept: K) -> Response {
    let mut body = ChunkedBody::default();
    body.push(b"{\"entries\":[");
    let mut separator: &[u8] = b"";
    for value in values {
        body.push(separator);
        match value {
            Some(value) => {
                body.push(b"{\"found\":true,\"value\":");
                body.push_owned(value);
                body.push(b"}");
            }
            None => body.push(b"{\"found\":false}"),
        }
        separator = b",";
    }
    body.push(b"]}");
    body.into_json(StatusCode::OK, kept)
}

/// Several keys and their values, which are JSON; `missing` lists the keys without a value. `kept` is dropped with the
/// body: after it was sent, or when the host discards it.
pub fn many_values<'a, K: 'static>(values: impl Iterator<Item = (&'a Key, Option<Vec<u8>>)>, kept: K) -> Response {
    let mut body = ChunkedBody::default();
    body.push(b"{\"entries\":{");
    let mut missing = Vec::new();
    let mut separator: &[u8] = b"";
    for (key, value) in values {
        let Some(value) = value else {
            missing.push(key.as_str());
            continue;
        };
        body.push(separator);
        body.push(&to_json(&key.as_str()));
        body.push(b":");
        body.push_owned(value);
        separator = b",";
    }
    body.push(b"},\"missing\":");
    body.push_owned(to_json(&missing));
    body.push(b"}");
    body.into_json(StatusCode::OK, kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::to_bytes;
    use axum::extract::FromRequestParts;
    use axum::http::{HeaderValue, Request};
    use futures_util::FutureExt;

    fn key(text: &str) -> Key {
        Key::new(text.to_owned()).unwrap()
    }

    fn text(response: Response) -> String {
        let bytes = to_bytes(response.into_body(), usize::MAX).now_or_never().expect("the body is complete").unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    fn conditions(if_none_match: Option<&HeaderValue>) -> Preconditions {
        let mut request = Request::builder();
        if let Some(tag) = if_none_match {
            request = request.header("if-none-match", tag);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        Preconditions::from_request_parts(&mut parts, &()).now_or_never().expect("it waits for nothing").unwrap()
    }

    fn hit(name: &str) -> CacheStatus {
        http_api::set_product("tumbler");
        CacheStatus { source: Source::Hit, ttl_s: Some(7), key: Some(format!("cache:entry:kv:get:{name}")) }
    }

    #[test]
    fn values_are_embedded_byte_for_byte() {
        let response = one_value(&key("a\"b"), b"[1.10, 1e400]", hit("a"), &conditions(None)).unwrap();
        assert_eq!(response.headers()["etag"], ETag::of_bytes(b"[1.10, 1e400]").field().1);
        assert_eq!(response.headers()["cache-status"], "tumbler; hit; ttl=7; key=\"cache:entry:kv:get:a\"");
        assert_eq!(text(response), r#"{"key":"a\"b","value":[1.10, 1e400]}"#);
    }

    #[test]
    fn a_known_value_is_not_sent_again() {
        let tag = ETag::of_bytes(b"1").field().1;
        for (value, status) in [(b"1", 304), (b"2", 200)] {
            let response = one_value(&key("a"), value, hit("a"), &conditions(Some(&tag))).unwrap();
            assert_eq!(response.status(), status);
            assert!(response.headers().contains_key("etag") && response.headers().contains_key("cache-status"));
        }
    }

    #[test]
    fn entries_are_answered_in_the_order_of_the_request() {
        let values = [Some(b"null".to_vec()), None, Some(b"1.0".to_vec())];
        let expected = r#"{"entries":[{"found":true,"value":null},{"found":false},{"found":true,"value":1.0}]}"#;
        assert_eq!(text(many_entries(values.into_iter(), ())), expected);
    }

    #[test]
    fn null_is_a_value_and_absence_is_not() {
        let (a, b, c, d) = (key("a"), key("b"), key("c"), key("d\n"));
        let values = [(&a, Some(b"null".to_vec())), (&b, None), (&c, Some(b"1.0".to_vec())), (&d, None)];
        let expected = r#"{"entries":{"a":null,"c":1.0},"missing":["b","d\n"]}"#;
        assert_eq!(text(many_values(values.into_iter(), ())), expected);
        assert_eq!(text(many_values([(&a, None)].into_iter(), ())), r#"{"entries":{},"missing":["a"]}"#);
    }

    #[test]
    fn any_key_fits_into_the_header_field() {
        let value = cache_status(hit("a b:\"\\\né")).1;
        assert_eq!(value, "tumbler; hit; ttl=7; key=\"cache:entry:kv:get:a b:\\\"\\\\%0A%C3%A9\"");
    }
}
