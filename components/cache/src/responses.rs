//! Successful responses with cached values. A value is sent as the bytes that were stored. Parsing and serializing it
//! again would change numbers, for example 1.10 to 1.1.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use http_api::response::{ChunkedBody, cache_status, json_bytes, to_json};
use versioned_cache::CacheStatus;

use crate::key::Key;

/// A key and its value, which is JSON.
pub fn one_value(key: &Key, value: &[u8], status: CacheStatus) -> Response {
    let key = to_json(&key.as_str());
    let body = [&b"{\"key\":"[..], &key, b",\"value\":", value, b"}"].concat();
    ([cache_status(status)], json_bytes(StatusCode::OK, body)).into_response()
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
    use futures_util::FutureExt;
    use versioned_cache::Source;

    fn key(text: &str) -> Key {
        Key::new(text.to_owned()).unwrap()
    }

    fn text(response: Response) -> String {
        let bytes = to_bytes(response.into_body(), usize::MAX).now_or_never().expect("the body is complete").unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    fn hit(name: &str) -> CacheStatus {
        http_api::set_product("tumbler");
        CacheStatus { source: Source::Hit, ttl_s: Some(7), key: Some(format!("cache:entry:kv:get:{name}")) }
    }

    #[test]
    fn values_are_embedded_byte_for_byte() {
        let response = one_value(&key("a\"b"), b"[1.10, 1e400]", hit("a"));
        assert_eq!(response.headers()["cache-status"], "tumbler; hit; ttl=7; key=\"cache:entry:kv:get:a\"");
        assert_eq!(text(response), r#"{"key":"a\"b","value":[1.10, 1e400]}"#);
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
