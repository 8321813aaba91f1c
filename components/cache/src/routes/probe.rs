//! `HEAD /api/cache/:key`: whether the cache has a value, without asking the origin.

use axum::response::Response;
use http_api::{NoQuery, Problem, Shared};
use versioned_cache::{CacheStatus, Source};

use crate::app::App;
use crate::key::Key;
use crate::{kv, problems, responses};

/// Answers with the body of a `GET`, which the router removes.
///
/// # Errors
/// The cache has no value; no Redis.
pub async fn probe(app: Shared<App>, key: Key, _: NoQuery) -> Result<Response, Problem> {
    let cached = app.cache.get(&kv::entry(&key)).await.map_err(problems::redis)?;
    let cached = cached.ok_or_else(problems::no_such_value)?;
    let ttl_s = Some(cached.ttl_ms.div_ceil(1000));
    let status = CacheStatus { source: Source::Hit, ttl_s, key: Some(cached.key) };
    Ok(responses::one_value(&key, &cached.value, status))
}
