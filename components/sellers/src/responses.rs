//! Successful responses.

use std::fmt::Display;

use axum::http::header::{CACHE_CONTROL, LOCATION, VARY};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use http_api::response::{cache_status, json, json_bytes};
use http_api::{ETag, Preconditions, Problem};

use crate::seller::{Seller, View};

/// Only browsers may store responses, and must revalidate them before each use. Clients with other tokens get other
/// ones.
const FIELDS: [(axum::http::HeaderName, HeaderValue); 2] =
    [(CACHE_CONTROL, HeaderValue::from_static("private, no-cache")), (VARY, HeaderValue::from_static("authorization"))];

/// The response to a read that used the cache: 304 if the client has this JSON already, else 200. `status` are the
/// parameters of `Cache-Status`.
///
/// # Errors
/// `If-Match` does not name `tag`.
pub fn read(conditions: &Preconditions, tag: &ETag, status: impl Display, json: Vec<u8>) -> Result<Response, Problem> {
    Ok(([cache_status(status)], uncached(conditions, tag, json)?).into_response())
}

/// As [`read`], without a cache.
///
/// # Errors
/// As there.
pub fn uncached(conditions: &Preconditions, tag: &ETag, json: Vec<u8>) -> Result<Response, Problem> {
    Ok((FIELDS, conditions.respond(tag, json)?).into_response())
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
