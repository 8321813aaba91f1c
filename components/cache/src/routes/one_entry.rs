//! One described entry, `/api/cache/entries/:module/:operation?params…`: `GET`, `HEAD`, `PUT` and `DELETE`.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http_api::response::{cache_status, json};
use http_api::{Preconditions, Problem, Shared, parse, read_body};
use serde_json::json;
use serde_json::value::RawValue;
use versioned_cache::{Bypass, CacheStatus, Source};

use crate::app::App;
use crate::described::{Described, DescribedRequest};
use crate::kv::VALUE_MAX;
use crate::ttl::TTL_MAX_S;
use crate::{cache_events, conditional, problems, responses};

/// Returns the value, from the cache, or from the origin if there is one.
///
/// # Errors
/// There is no value; the origin failed; `If-Match` does not name the value; without an origin: Redis is unavailable.
pub async fn show(app: Shared<App>, request: DescribedRequest, conditions: Preconditions) -> Result<Response, Problem> {
    let entry = &request.described;
    if !app.has_origin() || entry.is_reserved() {
        return cached(&app, entry, &conditions).await;
    }
    let ttl_s = app.described_ttl(entry, request.ttl_s).await?;
    // Nothing is stored now, but an earlier request may have stored a value with a TTL of its own.
    if ttl_s == 0
        && let Ok(Some(found)) = app.cache.get(&entry.entry(TTL_MAX_S)).await
    {
        return responses::one_entry(entry, &found.value, responses::status_of(&found), &conditions);
    }
    let found = app.get_or_fetch_described(entry, ttl_s).await.map_err(problems::origin)?;
    match found.value {
        Some(value) => responses::one_entry(entry, &value, found.status, &conditions),
        // No condition is evaluated where the response is 404 without it: RFC 9110, section 13.2.1.
        None => Err(problems::no_such_entry().with_header(cache_status(found.status))),
    }
}

/// Reports whether the cache has a value, and never asks the origin. The router removes the body.
///
/// # Errors
/// The cache has no value; Redis is unavailable; `If-Match` does not name the value.
pub async fn probe(
    app: Shared<App>,
    request: DescribedRequest,
    conditions: Preconditions,
) -> Result<Response, Problem> {
    cached(&app, &request.described, &conditions).await
}

async fn cached(app: &App, entry: &Described, conditions: &Preconditions) -> Result<Response, Problem> {
    let found = app.cache.get(&entry.entry(TTL_MAX_S)).await.map_err(problems::redis)?;
    let Some(found) = found else { return Err(problems::no_such_entry()) };
    responses::one_entry(entry, &found.value, responses::status_of(&found), conditions)
}

/// Stores any JSON. With a TTL of 0 it stores nothing, and removes what was stored before, because that is older than
/// this value.
///
/// # Errors
/// The module is reserved; the body is bad; the conditions do not hold; Redis is unavailable.
pub async fn store(
    app: Shared<App>,
    DescribedRequest { described, ttl_s }: DescribedRequest,
    conditions: Preconditions,
    request: Request,
) -> Result<Response, Problem> {
    described.require_writable()?;
    let ttl_s = app.described_ttl(&described, ttl_s).await?;
    let value: Box<RawValue> = parse(&read_body(request, VALUE_MAX).await?)?;
    let stored = ttl_s > 0;
    let Described { module, operation, .. } = &described;
    let body = json(&json!({ "module": module, "operation": operation, "stored": stored, "ttl": ttl_s }));
    if stored {
        conditional::set(&app, &described.entry(ttl_s), value.get().as_bytes(), &conditions).await?;
        app.events.emit(cache_events::set_described(&described));
        return Ok(body);
    }
    if conditional::delete(&app, &described.entry(TTL_MAX_S), &conditions).await? {
        app.events.emit(cache_events::deleted_described(&described));
    }
    let status = CacheStatus { source: Source::Bypass(Bypass::Disabled), ttl_s: None, key: None };
    Ok(([cache_status(status)], body).into_response())
}

/// Removes the value, and reports whether there was one.
///
/// # Errors
/// The module is reserved; the conditions do not hold; Redis is unavailable.
pub async fn remove(
    app: Shared<App>,
    request: DescribedRequest,
    conditions: Preconditions,
) -> Result<Response, Problem> {
    let described = request.described;
    described.require_writable()?;
    let deleted = conditional::delete(&app, &described.entry(TTL_MAX_S), &conditions).await?;
    if deleted {
        app.events.emit(cache_events::deleted_described(&described));
    }
    let Described { module, operation, .. } = &described;
    Ok(json(&json!({ "module": module, "operation": operation, "deleted": deleted })))
}
