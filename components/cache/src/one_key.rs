//! The routes of one key: `GET`, `HEAD`, `PUT` and `DELETE /api/cache/:key`.

use axum::extract::Request;
use axum::response::Response;
use serde::Serialize;
use serde_json::value::RawValue;
use spin_adapter::http::{Failure, read_body};
use versioned_cache::{CacheStatus, Source};

use crate::app::App;
use crate::input::VALUE_MAX;
use crate::key::Key;
use crate::ttl::Seconds;
use crate::{answers, failures};

/// The media type of all bodies.
pub const MEDIA_TYPE: &str = "application/json";

/// What `PUT` answers.
#[derive(Debug, Serialize)]
struct Put<'a> {
    key: &'a str,
    stored: bool,
    ttl: Seconds,
}

/// What `DELETE` answers.
#[derive(Debug, Serialize)]
struct Deleted<'a> {
    key: &'a str,
    /// Whether there was something.
    deleted: bool,
}

/// `GET`: from the cache, or else from the origin.
///
/// # Errors
/// The origin has no such value, or did not answer as it should.
pub async fn show(app: &App, key: Key, ttl: Option<Seconds>) -> Result<Response, Failure> {
    let answer = app.get_or_fetch(&key, ttl).await.map_err(failures::origin)?;
    match answer.value {
        Some(value) => Ok(answers::shown(&key, &value, &answer.status)),
        None => {
            let (name, value) = answers::cache_status(&answer.status);
            Err(failures::no_such_value().with_field(name, value))
        }
    }
}

/// `HEAD`: what `GET` would answer from the cache, without asking the origin. The router leaves the body out.
///
/// # Errors
/// The key is not in the cache; no Redis.
pub async fn probe(app: &App, key: Key) -> Result<Response, Failure> {
    let cached = app.cache.get(&app.any_entry(&key)).await.map_err(failures::redis)?;
    let cached = cached.ok_or_else(failures::no_such_value)?;
    let ttl_s = Some(cached.ttl_ms.div_ceil(1000));
    let status = CacheStatus { source: Source::Hit, ttl_s, key: Some(cached.key) };
    Ok(answers::shown(&key, &cached.value, &status))
}

/// `PUT`: stores any JSON.
///
/// # Errors
/// A bad body, no TTL, no Redis.
pub async fn store(app: &App, key: Key, ttl: Option<Seconds>, request: Request) -> Result<Response, Failure> {
    let ttl_s = app.ttl(ttl).ok_or_else(failures::ttl_parameter_needed)?;
    let body = read_body(request, MEDIA_TYPE, VALUE_MAX).await?;
    let value: Box<RawValue> = problem::parse(&body)?;
    app.cache.set(&app.entry(&key, ttl_s), value.get().as_bytes()).await.map_err(failures::redis_change)?;
    Ok(answers::ok(&Put { key: key.as_str(), stored: true, ttl: ttl_s }))
}

/// `DELETE`: whether or not there is something.
///
/// # Errors
/// No Redis.
pub async fn remove(app: &App, key: Key) -> Result<Response, Failure> {
    let deleted = app.cache.delete(&app.any_entry(&key)).await.map_err(failures::redis_change)?;
    Ok(answers::ok(&Deleted { key: key.as_str(), deleted }))
}
