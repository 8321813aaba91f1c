//! `DELETE /api/cache/:key`.

use axum::response::Response;
use http_api::response::json;
use http_api::{NoQuery, Problem, Shared};
use serde::Serialize;

use crate::app::App;
use crate::key::Key;
use crate::{kv, problems};

#[derive(Serialize)]
struct Deleted<'a> {
    key: &'a str,
    /// Whether there was a value.
    deleted: bool,
}

/// # Errors
/// No Redis.
pub async fn remove(app: Shared<App>, key: Key, _: NoQuery) -> Result<Response, Problem> {
    let deleted = app.cache.delete(&kv::entry(&key)).await.map_err(problems::redis_change)?;
    Ok(json(&Deleted { key: key.as_str(), deleted }))
}
