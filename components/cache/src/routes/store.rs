//! `PUT /api/cache/:key`: stores any JSON.

use axum::extract::Request;
use axum::response::Response;
use http_api::response::json;
use http_api::{APPLICATION_JSON, Problem, Query, Shared, parse, read_body};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::app::App;
use crate::key::Key;
use crate::kv::VALUE_MAX;
use crate::ttl::{Seconds, TtlQuery};
use crate::{kv, problems};

#[derive(Serialize)]
struct Stored<'a> {
    key: &'a str,
    stored: bool,
    ttl: Seconds,
}

/// # Errors
/// No TTL, a bad body, no Redis.
pub async fn store(
    app: Shared<App>,
    key: Key,
    Query(TtlQuery(ttl)): Query<TtlQuery>,
    request: Request,
) -> Result<Response, Problem> {
    let ttl = app.ttl(ttl).ok_or_else(problems::missing_ttl_parameter)?;
    let value: Box<RawValue> = parse(&read_body(request, APPLICATION_JSON, VALUE_MAX).await?)?;
    let entry = kv::entry_with_ttl(&key, ttl);
    app.cache.set(&entry, value.get().as_bytes()).await.map_err(problems::redis_change)?;
    Ok(json(&Stored { key: key.as_str(), stored: true, ttl }))
}
