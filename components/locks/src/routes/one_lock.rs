//! The lock on one resource: `GET /api/cache/lock/:resource` and `DELETE /admin/locks/:resource`.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;
use events::NewEvent;
use http_api::response::{json, to_json};
use http_api::{ETag, NoQuery, Preconditions, Problem, Shared, path};
use serde_json::json;
use token_lock::Resource;

use crate::app::App;
use crate::responses::LockState;
use crate::{problems, rules};

/// The extractor of the path parameter `resource`: the last segment, percent-encoded (`/` as `%2F`).
pub struct ResourceName(Resource);

impl<S: Sync> FromRequestParts<S> for ResourceName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        path::last_segment(parts.uri.path(), "resource", rules::resource).map(Self)
    }
}

/// Reports whether the resource is locked, and for how long; never shows the token.
///
/// # Errors
/// A bad resource; a condition that does not hold; Redis is unavailable.
pub async fn show(
    app: Shared<App>,
    ResourceName(resource): ResourceName,
    _: NoQuery,
    conditions: Preconditions,
) -> Result<Response, Problem> {
    let inspected = app.locks.inspect(&resource).await.map_err(problems::read)?;
    let json = to_json(&LockState::new(&resource, &inspected));
    conditions.respond(&ETag::of_bytes(&json), json)
}

/// Releases a lock without its token, and reports whether there was one. The log records a lock that was broken.
///
/// # Errors
/// A bad resource; an `If-Match`, because this URL has no representation; Redis is unavailable.
pub async fn break_lock(
    app: Shared<App>,
    ResourceName(resource): ResourceName,
    _: NoQuery,
    conditions: Preconditions,
) -> Result<Response, Problem> {
    conditions.check(None)?;
    let broken = app.locks.break_lock(&resource).await.map_err(problems::change)?;
    if broken {
        app.count("broken", 1);
        app.events.emit(NewEvent::new("tumbler.lock.broken", format!("locks/{}", resource.name())));
    }
    Ok(json(&json!({ "broken": broken })))
}
