//! Successful answers: JSON with its entity tag, `Cache-Status` and conditions.

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, ETAG, HeaderName, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use spin_adapter::http::json;

use crate::entity_tag::{EntityTag, is_known};
use crate::user::User;

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Users are personal, and change: browsers may keep them, and must ask whether they are current.
const REVALIDATE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// The name and value of the field that tells how a read came about (RFC 9211).
pub fn cache_status(status: &str) -> (HeaderName, HeaderValue) {
    let value = HeaderValue::try_from(status).unwrap_or(HeaderValue::from_static("tumbler"));
    (CACHE_STATUS, value)
}

/// The answer to a read: 304 when the client has it already, else 200 with `body`.
pub fn read(request: &HeaderMap, tag: &EntityTag, status: &str, body: Vec<u8>) -> Response {
    let mut response = if is_known(request, tag) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        json(StatusCode::OK, body)
    };
    let headers = response.headers_mut();
    headers.insert(ETAG, tag.to_header());
    headers.insert(CACHE_CONTROL, REVALIDATE);
    let (name, value) = cache_status(status);
    headers.insert(name, value);
    response
}

/// The answer to a change: the user as it is now.
pub fn changed(user: &User) -> Response {
    let mut response = json(StatusCode::OK, user.to_json());
    response.headers_mut().insert(ETAG, EntityTag::of_version(user.version).to_header());
    response
}

/// The answer to the creation of one user: the user and where it is.
pub fn created(user: &User) -> Response {
    let mut response = changed(user);
    *response.status_mut() = StatusCode::CREATED;
    let location = HeaderValue::try_from(format!("/users/{}", user.id)).expect("a path of digits is a field value");
    response.headers_mut().insert(LOCATION, location);
    response
}

/// The answer to the creation of several: an array in the order of the request.
pub fn created_batch(users: impl Into<Bytes>) -> Response {
    json(StatusCode::CREATED, users)
}

/// The answer to a removal.
pub fn removed() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
