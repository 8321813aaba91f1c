//! One key, `/api/cache/:key`: `GET`, `HEAD`, `PUT` and `DELETE`.

use axum::extract::Request;
use axum::response::Response;
use http_api::response::{cache_status, json};
use http_api::{NoQuery, Preconditions, Problem, Query, Shared, parse, read_body};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::app::App;
use crate::key::Key;
use crate::kv::{self, VALUE_MAX};
use crate::ttl::TtlQuery;
use crate::{cache_events, conditional, problems, responses};

/// Returns the value, from the cache or the origin.
///
/// # Errors
/// There is no value; the origin failed; `If-Match` does not name the value.
pub async fn show(
    app: Shared<App>,
    key: Key,
    Query(TtlQuery(ttl)): Query<TtlQuery>,
    conditions: Preconditions,
) -> Result<Response, Problem> {
    let found = app.get_or_fetch(&key, ttl).await.map_err(problems::origin)?;
    match found.value {
        Some(value) => responses::one_value(&key, &value, found.status, &conditions),
        // No condition is evaluated where the response is 404 without it: RFC 9110, section 13.2.1.
        None => Err(problems::no_such_value().with_header(cache_status(found.status))),
    }
}

/// Reports whether the cache has a value, and never asks the origin. The response is that of a `GET`; the router
/// removes its body.
///
/// # Errors
/// The cache has no value; Redis is unavailable; `If-Match` does not name the value.
pub async fn probe(app: Shared<App>, key: Key, _: NoQuery, conditions: Preconditions) -> Result<Response, Problem> {
    let cached = app.cache.get(&kv::entry(&key)).await.map_err(problems::redis)?;
    let Some(cached) = cached else { return Err(problems::no_such_value()) };
    responses::one_value(&key, &cached.value, responses::status_of(&cached), &conditions)
}

/// Stores any JSON.
///
/// # Errors
/// There is no TTL; the body is bad; the conditions do not hold; Redis is unavailable.
pub async fn store(
    app: Shared<App>,
    key: Key,
    Query(TtlQuery(ttl)): Query<TtlQuery>,
    conditions: Preconditions,
    request: Request,
) -> Result<Response, Problem> {
    let ttl = app.ttl(ttl).ok_or_else(problems::missing_ttl_parameter)?;
    let value: Box<RawValue> = parse(&read_body(request, VALUE_MAX).await?)?;
    let entry = kv::entry_with_ttl(&key, ttl);
    conditional::set(&app, &entry, value.get().as_bytes(), &conditions).await?;
    app.events.emit(cache_events::set(&key));
    Ok(json(&json!({ "key": key.as_str(), "stored": true, "ttl": ttl })))
}

#[derive(Serialize)]
struct Deleted<'a> {
    key: &'a str,
    deleted: bool,
}

/// Removes the value, and reports whether there was one.
///
/// # Errors
/// The conditions do not hold; Redis is unavailable.
pub async fn remove(app: Shared<App>, key: Key, _: NoQuery, conditions: Preconditions) -> Result<Response, Problem> {
    let deleted = conditional::delete(&app, &kv::entry(&key), &conditions).await?;
    if deleted {
        app.events.emit(cache_events::deleted(&key));
    }
    Ok(json(&Deleted { key: key.as_str(), deleted }))
}
