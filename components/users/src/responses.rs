//! Successful responses.

use std::fmt::Display;

use axum::http::header::{CACHE_CONTROL, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use http_api::response::{cache_status, json};
use http_api::{ETag, Preconditions, Problem};

use crate::user::User;

/// Users are personal data, and they change: only browsers may store them, and must revalidate them before each use.
const REVALIDATE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// The response to a read: 304 if the client has this JSON already, else 200. `status` are the parameters of
/// `Cache-Status`.
///
/// # Errors
/// `If-Match` does not name `tag`.
pub fn read(conditions: &Preconditions, tag: &ETag, status: impl Display, json: Vec<u8>) -> Result<Response, Problem> {
    Ok(([(CACHE_CONTROL, REVALIDATE), cache_status(status)], conditions.respond(tag, json)?).into_response())
}

/// The response to a `PUT`: the user in its new version. It has no `ETag`, because the user is not what the client has
/// sent (RFC 9110, section 9.3.4): members that are absent from the body stay as they were.
pub fn put(user: &User) -> Response {
    json(user)
}

/// The response to a `PATCH`: the user in its new version.
pub fn patched(user: &User) -> Response {
    ([ETag::of_version(user.version).field()], json(user)).into_response()
}

/// The response to the creation of one user: the user and its URL.
pub fn created(user: &User) -> Response {
    (StatusCode::CREATED, [(LOCATION, format!("/users/{}", user.id))], patched(user)).into_response()
}
