//! `POST /api/cache/lock/release`.

use axum::response::Response;
use http_api::response::json;
use http_api::{Errors, FromJson, JsonBody, NoQuery, Object, Problem, Shared, present};
use serde::Deserialize;
use token_lock::{Released, Token};

use crate::app::App;
use crate::responses::ReleaseResponse;
use crate::{problems, rules};

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawRelease {
    #[serde(deserialize_with = "present")]
    key: Option<String>,
    #[serde(deserialize_with = "present")]
    token: Option<String>,
}

/// The body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseBody {
    /// The key of the lock, not checked yet.
    pub key: String,
    /// The token that acquire returned.
    pub token: Token,
}

impl FromJson for ReleaseBody {
    type Raw = Object<RawRelease>;
    const MAX_BYTES: usize = rules::BODY_MAX_BYTES;

    fn check(Object(body): Object<RawRelease>, errors: &mut Errors) -> Option<Self> {
        let key = errors.required("/key", body.key, Ok);
        let token = errors.required("/token", body.token, rules::token);
        Some(Self { key: key?, token: token? })
    }
}

/// Reports whether the lock is free now, and whether it had expired before.
///
/// # Errors
/// A bad body; a key that does not belong to a lock; Redis is unavailable.
pub async fn release(app: Shared<App>, _: NoQuery, JsonBody(body): JsonBody<ReleaseBody>) -> Result<Response, Problem> {
    let resource = rules::resource_of_key(&body.key)?;
    let released = app.locks.release(&resource, &body.token).await.map_err(problems::change)?;
    match released {
        Released::Removed => app.count("released", 1),
        Released::Expired | Released::HeldByAnother => app.count("lost", 1),
    }
    Ok(json(&ReleaseResponse::from(released)))
}
