//! `GET /sellers/health`: whether the users service responds.

use axum::response::Response;
use http_api::response::json;
use http_api::{Admin, NoQuery, Problem, Shared};
use serde_json::json;

use crate::app::App;
use crate::user_service::Authorization;

/// Asks the users service, for at most three seconds.
///
/// # Errors
/// The caller is no administrator.
pub async fn show(app: Shared<App>, _: Admin, _: NoQuery, credentials: Authorization) -> Result<Response, Problem> {
    let health = app.users.health_check(credentials).await;
    let status = if health.is_up { "up" } else { "down" };
    Ok(json(&json!({ "userService": { "status": status, "latencyMs": health.latency_ms } })))
}
