//! Successful answers. Cached values go into them as the bytes that they are: nothing is parsed and written again,
//! which would change numbers.

use axum::http::header::{HeaderName, LINK};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;
use spin_adapter::http::{Pieces, json};
use versioned_cache::CacheStatus;

use crate::key::Key;

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// The name and value of the field that tells how an answer came about (RFC 9211).
pub fn cache_status(status: &CacheStatus) -> (HeaderName, HeaderValue) {
    let value = HeaderValue::try_from(status.to_string()).unwrap_or(HeaderValue::from_static("tumbler"));
    (CACHE_STATUS, value)
}

/// A key and its value, which is JSON.
pub fn shown(key: &Key, value: &[u8], status: &CacheStatus) -> Response {
    let mut body = Vec::with_capacity(key.as_str().len() + value.len() + 32);
    body.extend_from_slice(b"{\"key\":");
    body.extend_from_slice(&to_json(&key.as_str()));
    body.extend_from_slice(b",\"value\":");
    body.extend_from_slice(value);
    body.push(b'}');
    let mut response = json(StatusCode::OK, body);
    let (name, value) = cache_status(status);
    response.headers_mut().insert(name, value);
    response
}

/// Several keys and their values, which are JSON; those without one are named apart. `kept` is kept until the answer has
/// gone.
pub fn shown_many<'a, K: 'static>(values: impl Iterator<Item = (&'a Key, Option<Vec<u8>>)>, kept: K) -> Response {
    let mut body = Pieces::default();
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

/// Any other answer.
pub fn ok(answer: &impl Serialize) -> Response {
    json(StatusCode::OK, to_json(answer))
}

/// A page of a list and, if there is a next one, a link to it (RFC 8288) at this path and query.
pub fn page(answer: &impl Serialize, next: Option<String>) -> Response {
    let mut response = ok(answer);
    if let Some(next) = next {
        let link =
            HeaderValue::try_from(format!("<{next}>; rel=\"next\"")).expect("form-urlencoded text is a field value");
        response.headers_mut().insert(LINK, link);
    }
    response
}

fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("strings, numbers, lists and maps of strings always serialize")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, HttpBody};
    use futures_util::FutureExt;
    use versioned_cache::Source;

    fn key(text: &str) -> Key {
        Key::new(text.to_owned()).unwrap()
    }

    fn text(mut body: Body) -> String {
        let mut bytes = Vec::new();
        let mut body = std::pin::Pin::new(&mut body);
        while let Some(Some(frame)) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).now_or_never() {
            bytes.extend_from_slice(&frame.unwrap().into_data().unwrap());
        }
        String::from_utf8(bytes).unwrap()
    }

    fn hit(name: &str) -> CacheStatus {
        CacheStatus { source: Source::Hit, ttl_s: Some(7), key: Some(format!("cache:entry:kv:get:{name}")) }
    }

    #[test]
    fn values_are_embedded_byte_for_byte() {
        let response = shown(&key("a\"b"), b"[1.10, 1e400]", &hit("a"));
        assert_eq!(response.headers()["cache-status"], "tumbler; hit; ttl=7; key=\"cache:entry:kv:get:a\"");
        assert_eq!(text(response.into_body()), r#"{"key":"a\"b","value":[1.10, 1e400]}"#);
    }

    #[test]
    fn null_is_a_value_and_nothing_is_not() {
        let (a, b, c, d) = (key("a"), key("b"), key("c"), key("d\n"));
        let values = [(&a, Some(b"null".to_vec())), (&b, None), (&c, Some(b"1.0".to_vec())), (&d, None)];
        let expected = r#"{"entries":{"a":null,"c":1.0},"missing":["b","d\n"]}"#;
        assert_eq!(text(shown_many(values.into_iter(), ()).into_body()), expected);
        assert_eq!(text(shown_many([(&a, None)].into_iter(), ()).into_body()), r#"{"entries":{},"missing":["a"]}"#);
    }

    #[test]
    fn any_key_fits_into_the_header_field() {
        let value = cache_status(&hit("a b:\"\\\né")).1;
        assert_eq!(value, "tumbler; hit; ttl=7; key=\"cache:entry:kv:get:a b:\\\"\\\\%0A%C3%A9\"");
    }
}
