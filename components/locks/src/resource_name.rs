//! The name of a resource in a path.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use http_api::{Errors, Problem, path};
use token_lock::Resource;

use crate::rules;

/// The extractor of the path parameter `resource`: the last segment, percent-encoded (`/` as `%2F`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceName(pub Resource);

impl<S: Sync> FromRequestParts<S> for ResourceName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut errors = Errors::in_parameters();
        let [name] = path::last_segments(parts.uri.path());
        let resource = errors.check("resource", name.and_then(rules::resource));
        errors.finish(resource.map(Self))
    }
}
