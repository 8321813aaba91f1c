//! `POST /admin/cache/stats/reset`: sets all counters to zero.

use axum::response::Response;
use http_api::response::json;
use http_api::{NoQuery, Problem, Shared};
use serde_json::json;

use crate::app::App;
use crate::problems;

/// # Errors
/// No Redis.
pub async fn reset_stats(app: Shared<App>, _: NoQuery) -> Result<Response, Problem> {
    // What the other cache counted before must not appear after the reset.
    app.bulk_cache.send_stats().await;
    app.cache.reset_stats().await.map_err(problems::redis_change)?;
    Ok(json(&json!({ "reset": true })))
}
