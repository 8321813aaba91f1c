//! Responses: JSON, and the header fields that several components write.

mod cache_status;
mod chunked;
mod link;

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;

pub use cache_status::cache_status;
pub use chunked::ChunkedBody;
pub use link::next_link;

/// The media type of all bodies but problems.
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

/// 204 without a body.
pub fn no_content() -> Response {
    empty(StatusCode::NO_CONTENT)
}

/// A response without a body.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn with_json_body(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(APPLICATION_JSON));
    response
}
