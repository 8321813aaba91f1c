//! `GET /api/cache/stats`: hits and misses of all components together.

use axum::response::Response;
use http_api::response::json;
use http_api::{NoQuery, Problem, Shared};
use serde_json::json;

use crate::app::App;
use crate::problems;

/// # Errors
/// No Redis.
pub async fn stats(app: Shared<App>, _: NoQuery) -> Result<Response, Problem> {
    let total = app.cache.stats().await.map_err(problems::redis)?.total();
    Ok(json(&json!({ "hits": total.hits, "misses": total.misses })))
}
