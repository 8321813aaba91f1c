//! `POST /api/cache/invalidate` and the `DELETE`s below `/admin/cache`.

use axum::extract::Request;
use axum::response::Response;
use ports::RedisError;
use serde_json::json;
use spin_adapter::http::{Failure, read_body};

use crate::app::{App, KEYED};
use crate::one_key::MEDIA_TYPE;
use crate::target::Target;
use crate::{answers, failures};

/// Bytes of the body, at most.
const BODY_MAX: usize = 16 * 1024;

/// `POST /api/cache/invalidate`.
///
/// # Errors
/// A bad body, no Redis.
pub async fn invalidate(app: &App, request: Request) -> Result<Response, Failure> {
    let target = Target::from_body(&read_body(request, MEDIA_TYPE, BODY_MAX).await?)?;
    let invalidated = run(app, &target).await.map_err(failures::redis_change)?;
    Ok(answers::ok(&json!({ "invalidated": invalidated })))
}

/// The `DELETE`s: the answer names what was cleared.
///
/// # Errors
/// No Redis.
pub async fn clear(app: &App, target: Target) -> Result<Response, Failure> {
    let invalidated = run(app, &target).await.map_err(failures::redis_change)?;
    eprintln!("cleared {}: {invalidated} entries", target.to_json());
    Ok(answers::ok(&json!({ "cleared": target.to_json(), "invalidated": invalidated })))
}

/// How many entries were removed.
async fn run(app: &App, target: &Target) -> Result<u64, RedisError> {
    match target {
        Target::Key(key) => app.cache.delete(&app.any_entry(key)).await.map(u64::from),
        Target::Pattern(pattern) => app.cache.invalidate_matching(KEYED.0, KEYED.1, pattern).await,
        Target::Module(module) => app.cache.invalidate_module(module).await,
        Target::Operation(module, operation) => app.cache.invalidate_operation(module, operation).await,
        Target::User(id) => app.cache.invalidate_user(*id).await,
        Target::All => app.cache.clear().await,
    }
}
