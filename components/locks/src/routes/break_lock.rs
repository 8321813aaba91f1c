//! `DELETE /admin/locks/:resource`: releases a lock without its token.

use axum::response::Response;
use http_api::response::json;
use http_api::{NoQuery, Problem, Shared};

use crate::app::App;
use crate::problems;
use crate::resource_name::ResourceName;
use crate::responses::BreakResponse;

/// Answers whether there was a lock. The log records the request.
///
/// # Errors
/// A bad resource; no Redis.
pub async fn break_lock(
    app: Shared<App>,
    ResourceName(resource): ResourceName,
    _: NoQuery,
) -> Result<Response, Problem> {
    let broken = app.locks.break_lock(&resource).await.map_err(problems::change)?;
    let state = if broken { "held" } else { "free" };
    eprintln!("the lock on {:?} was broken by an administrator: it was {state}", resource.name());
    Ok(json(&BreakResponse { broken }))
}
