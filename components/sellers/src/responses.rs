//! Successful responses.

use std::fmt::Display;

use axum::http::header::{CACHE_CONTROL, LOCATION, VARY};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use http_api::response::{cache_status, json, json_bytes};
use http_api::{ETag, IfNoneMatch};

use crate::seller::{Seller, View};

/// Only browsers may store responses, and must revalidate them before each use. Clients with other tokens get other
/// ones.
const FIELDS: [(axum::http::HeaderName, HeaderValue); 2] =
    [(CACHE_CONTROL, HeaderValue::from_static("private, no-cache")), (VARY, HeaderValue::from_static("authorization"))];

/// The response to a read that used the cache: 304 if the client has this JSON already, else 200. `status` are the
/// parameters of `Cache-Status`.
pub fn read(known: &IfNoneMatch, tag: &ETag, status: impl Display, json: Vec<u8>) -> Response {
    ([cache_status(status)], uncached(known, tag, json)).into_response()
}

/// As [`read`], without a cache.
pub fn uncached(known: &IfNoneMatch, tag: &ETag, json: Vec<u8>) -> Response {
    (FIELDS, known.respond(tag, json)).into_response()
}

/// The tag of a seller's JSON. Both forms have the same version, so the public one gets a tag of its own. `If-Match`
/// takes the private one: whoever may change a seller sees this form.
pub fn tag(json: &[u8], view: View) -> ETag {
    match view {
        View::Private => ETag::of_last_version(json),
        View::Public => ETag::of_bytes(json),
    }
}

/// The response to a change: the seller in its new version.
pub fn changed(seller: &Seller) -> Response {
    ([ETag::of_version(seller.version).field()], json(seller)).into_response()
}

/// The response to a registration: the seller and its URL.
pub fn created(seller: &Seller) -> Response {
    (StatusCode::CREATED, [(LOCATION, format!("/sellers/{}", seller.id))], changed(seller)).into_response()
}

/// The response to a sale: the sale.
pub fn recorded(json: Vec<u8>) -> Response {
    json_bytes(StatusCode::CREATED, json)
}
