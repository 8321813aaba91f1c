//! The routes of many keys: `POST /api/cache/mget` and `POST /api/cache/mset`.

use axum::extract::Request;
use axum::response::Response;
use serde_json::json;
use spin_adapter::exceeds_limit;
use spin_adapter::http::{Failure, read_body};

use crate::app::App;
use crate::input::{MsetRequest, VALUE_MAX, mget_keys};
use crate::memory::Share;
use crate::one_key::MEDIA_TYPE;
use crate::{answers, failures};

/// Bytes of a body with keys only, at most: a thousand of the longest, however they are escaped.
pub const KEYS_BODY_MAX: usize = 4 * 1024 * 1024;
/// Bytes of a body with values, at most.
const VALUES_BODY_MAX: usize = 8 * 1024 * 1024;
/// Bytes that Spin, and our host, hand over of an answer of Redis, at most.
const ANSWER_MAX: usize = 128 * 1024 * 1024;
/// How long a request waits for memory.
const MEMORY_WAIT_MS: u64 = 2_000;
/// How often values are in memory while they are stored: as the body, its members, sealed, and sent.
const COPIES: usize = 4;

/// `POST /api/cache/mget`: what the cache has, without asking the origin.
///
/// # Errors
/// A bad body, no Redis, no memory, values that are too large together.
pub async fn show(app: &App, request: Request) -> Result<Response, Failure> {
    let keys = mget_keys(&read_body(request, MEDIA_TYPE, KEYS_BODY_MAX).await?)?;
    // How large the values are is known when they are here: until then, they are as large as they may be.
    let mut share = share(app, ANSWER_MAX.min(keys.len() * VALUE_MAX)).await?;
    let entries: Vec<_> = keys.iter().map(|key| app.any_entry(key)).collect();
    let cached = app.large.mget(&entries).await.map_err(|error| match error {
        error if exceeds_limit(&error) => failures::too_large(ANSWER_MAX),
        error => failures::redis(error),
    })?;
    share.shrink_to(cached.iter().flatten().map(|cached| cached.value.len()).sum());
    let values = cached.into_iter().map(|cached| cached.map(|cached| cached.value));
    Ok(answers::shown_many(keys.iter().zip(values), share))
}

/// `POST /api/cache/mset`.
///
/// # Errors
/// A bad body, no TTL, no memory, no Redis.
pub async fn store(app: &App, request: Request) -> Result<Response, Failure> {
    let body = read_body(request, MEDIA_TYPE, VALUES_BODY_MAX).await?;
    let _share = share(app, COPIES * body.len()).await?;
    let MsetRequest { entries, ttl } = MsetRequest::from_body(&body)?;
    drop(body);
    let ttl_s = app.ttl(ttl).ok_or_else(failures::ttl_member_needed)?;
    let entries: Vec<_> = entries
        .into_iter()
        .map(|(key, value)| (app.entry(&key, ttl_s), Box::<str>::from(value).into_string().into_bytes()))
        .collect();
    app.cache.mset(&entries).await.map_err(failures::redis_change)?;
    Ok(answers::ok(&json!({ "stored": entries.len() })))
}

async fn share(app: &App, bytes: usize) -> Result<Share, Failure> {
    app.memory.share(bytes, MEMORY_WAIT_MS).await.ok_or_else(failures::no_memory)
}
