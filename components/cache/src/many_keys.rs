//! The routes of many keys: `POST /api/cache/mget` and `POST /api/cache/mset`.

use axum::extract::Request;
use axum::response::Response;
use serde_json::json;
use spin_adapter::http::{Failure, read_body};

use crate::app::App;
use crate::input::{MsetRequest, mget_keys};
use crate::one_key::MEDIA_TYPE;
use crate::{answers, failures};

/// Bytes of a body with keys only, at most: a thousand of the longest, however they are escaped.
pub const KEYS_BODY_MAX: usize = 4 * 1024 * 1024;
/// Bytes of a body with values, at most.
const VALUES_BODY_MAX: usize = 8 * 1024 * 1024;

/// `POST /api/cache/mget`: what the cache has, without asking the origin.
///
/// # Errors
/// A bad body, no Redis.
pub async fn show(app: &App, request: Request) -> Result<Response, Failure> {
    let keys = mget_keys(&read_body(request, MEDIA_TYPE, KEYS_BODY_MAX).await?)?;
    let entries: Vec<_> = keys.iter().map(|key| app.any_entry(key)).collect();
    let cached = app.cache.mget(&entries).await.map_err(failures::redis)?;
    let values = cached.into_iter().map(|cached| cached.map(|cached| cached.value));
    Ok(answers::shown_many(keys.iter().zip(values)))
}

/// `POST /api/cache/mset`.
///
/// # Errors
/// A bad body, no TTL, no Redis.
pub async fn store(app: &App, request: Request) -> Result<Response, Failure> {
    let MsetRequest { entries, ttl } = MsetRequest::from_body(&read_body(request, MEDIA_TYPE, VALUES_BODY_MAX).await?)?;
    let ttl_s = app.ttl(ttl).ok_or_else(failures::ttl_member_needed)?;
    let entries: Vec<_> = entries
        .into_iter()
        .map(|(key, value)| (app.entry(&key, ttl_s), Box::<str>::from(value).into_string().into_bytes()))
        .collect();
    app.cache.mset(&entries).await.map_err(failures::redis_change)?;
    Ok(answers::ok(&json!({ "stored": entries.len() })))
}
