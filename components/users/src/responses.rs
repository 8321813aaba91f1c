//! Successful responses.

use std::fmt::Display;

use axum::http::header::{CACHE_CONTROL, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use http_api::response::{cache_status, json};
use http_api::{ETag, IfNoneMatch};

use crate::user::User;

/// Users are personal data, and they change: only browsers may store them, and must revalidate them before each use.
const REVALIDATE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// The response to a read: 304 if the client has this JSON already, else 200. `status` are the parameters of
/// `Cache-Status`.
pub fn read(known: &IfNoneMatch, tag: &ETag, status: impl Display, json: Vec<u8>) -> Response {
    ([(CACHE_CONTROL, REVALIDATE), cache_status(status)], known.respond(tag, json)).into_response()
}

/// The response to a change: the user in its new version.
pub fn changed(user: &User) -> Response {
    ([ETag::of_version(user.version).field()], json(user)).into_response()
}

/// The response to the creation of one user: the user and its URL.
pub fn created(user: &User) -> Response {
    (StatusCode::CREATED, [(LOCATION, format!("/users/{}", user.id))], changed(user)).into_response()
}
