//! `GET /api/cache/lock/:resource`.

use axum::response::Response;
use http_api::response::json;
use http_api::{NoQuery, Problem, Shared};

use crate::app::App;
use crate::problems;
use crate::resource_name::ResourceName;
use crate::responses::LockState;

/// Answers whether the resource is locked, and for how long; never the token.
///
/// # Errors
/// A bad resource; no Redis.
pub async fn show(app: Shared<App>, ResourceName(resource): ResourceName, _: NoQuery) -> Result<Response, Problem> {
    let inspected = app.locks.inspect(&resource).await.map_err(problems::read)?;
    Ok(json(&LockState::new(&resource, &inspected)))
}
