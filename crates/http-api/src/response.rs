//! Responses: JSON, and the header fields that several components write.

mod chunked;
mod page;

use std::fmt::{Display, Write};
use std::sync::OnceLock;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_TYPE, HeaderName, LINK};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat};
use serde::{Serialize, Serializer};

pub use chunked::ChunkedBody;
pub use page::{PAGE_MAX_BYTES, fitting};

/// The media type of all bodies except problems.
pub const APPLICATION_JSON: &str = "application/json";

/// 200 with `value` as JSON.
pub fn json(value: &impl Serialize) -> Response {
    json_bytes(StatusCode::OK, to_json(value))
}

/// A response whose body is JSON already.
pub fn json_bytes(status: StatusCode, json: impl Into<Bytes>) -> Response {
    with_json_body(status, Body::from(json.into()))
}

/// `value` as JSON, without insignificant white space.
///
/// # Panics
/// If `value` has a map whose keys are not strings, or its `Serialize` fails.
pub fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("values with members and string keys always serialize")
}

/// Serializes milliseconds since the Unix epoch as RFC 3339 in UTC, `2026-01-31T09:30:00.000Z`: for
/// `#[serde(serialize_with = "http_api::response::rfc3339")]`.
///
/// # Errors
/// The time is outside of the years that RFC 3339 can express.
pub fn rfc3339<S: Serializer>(unix_ms: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    let time = DateTime::from_timestamp_millis(*unix_ms).ok_or_else(|| serde::ser::Error::custom("not a time"))?;
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// As [`rfc3339`], or null.
///
/// # Errors
/// As there.
pub fn optional_rfc3339<S: Serializer>(unix_ms: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    match unix_ms {
        Some(unix_ms) => rfc3339(unix_ms, serializer),
        None => serializer.serialize_none(),
    }
}

fn with_json_body(status: StatusCode, body: Body) -> Response {
    (status, [(CONTENT_TYPE, HeaderValue::from_static(APPLICATION_JSON))], body).into_response()
}

static PRODUCT: OnceLock<&'static str> = OnceLock::new();

/// Sets the product's name, which `Cache-Status` and the realm of `WWW-Authenticate` show: a token of RFC 9110 such as
/// `tumbler`. Only the first call has an effect.
pub fn set_product(name: &'static str) {
    PRODUCT.get_or_init(|| name);
}

pub(crate) fn product() -> &'static str {
    PRODUCT.get().copied().unwrap_or("http-api")
}

/// The name and the value of `Cache-Status` (RFC 9211). `parameters` are those of the cache, such as `hit; ttl=277`;
/// the product's name goes before them.
pub fn cache_status(parameters: impl Display) -> (HeaderName, HeaderValue) {
    // Usually enough. Otherwise, each part of the parameters would make it grow.
    let mut value = String::with_capacity(128);
    let _ = write!(value, "{}; {parameters}", product());
    let value = HeaderValue::try_from(value);
    (HeaderName::from_static("cache-status"), value.unwrap_or(HeaderValue::from_static(product())))
}

/// The name and the value of the `Link` (RFC 8288) to the next page, at this path and query string.
///
/// # Panics
/// If `target` has characters that a URI cannot have; [`query::write`](crate::query::write) makes none.
pub fn next_link(target: &str) -> (HeaderName, HeaderValue) {
    (LINK, HeaderValue::try_from(format!("<{target}>; rel=\"next\"")).expect("a URI is a field value"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_name_the_product_and_the_next_page() {
        set_product("tumbler");
        assert_eq!(cache_status("hit; ttl=7").1, "tumbler; hit; ttl=7");
        assert_eq!(cache_status("hit; key=\"\n\"").1, "tumbler");
        assert_eq!(next_link("/users?limit=2&cursor=a%2Bb").1, "</users?limit=2&cursor=a%2Bb>; rel=\"next\"");
    }
}
