//! The id of a user in a path.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use http_api::{Errors, Problem, path, row_id};

/// The extractor of the path parameter `id`. Each id has one spelling, so each user has one URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserId(pub i64);

impl<S: Sync> FromRequestParts<S> for UserId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut errors = Errors::in_parameters();
        let [id] = path::last_segments(parts.uri.path());
        let id = errors.check("id", id.and_then(|id| row_id(&id)));
        errors.finish(id.map(Self))
    }
}
