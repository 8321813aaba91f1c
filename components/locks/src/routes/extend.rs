//! `POST /api/cache/lock/extend`.

use axum::response::Response;
use http_api::response::json;
use http_api::{Errors, FromJson, JsonBody, NoQuery, Object, Problem, Shared, present};
use serde::Deserialize;
use serde_json::Number;
use token_lock::{Extended, Token};

use crate::app::App;
use crate::responses::ExtendResponse;
use crate::{problems, rules};

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawExtend {
    #[serde(deserialize_with = "present")]
    key: Option<String>,
    #[serde(deserialize_with = "present")]
    token: Option<String>,
    #[serde(deserialize_with = "present")]
    ttl: Option<Number>,
}

/// The body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtendBody {
    /// The key of the lock, not checked yet.
    pub key: String,
    /// The token that acquire returned.
    pub token: Token,
    /// The new TTL in milliseconds, from now.
    pub ttl_ms: u64,
}

impl FromJson for ExtendBody {
    type Raw = Object<RawExtend>;
    const MAX_BYTES: usize = rules::BODY_MAX_BYTES;

    fn check(Object(body): Object<RawExtend>, errors: &mut Errors) -> Option<Self> {
        let key = errors.required("/key", body.key, Ok);
        let token = errors.required("/token", body.token, rules::token);
        let ttl_ms = errors.required("/ttl", body.ttl, |ttl| rules::TTL.of_json(ttl));
        Some(Self { key: key?, token: token?, ttl_ms: ttl_ms? })
    }
}

/// Returns when the lock ends, or why it could not be extended.
///
/// # Errors
/// A bad body; a key that does not belong to a lock; Redis is unavailable.
pub async fn extend(app: Shared<App>, _: NoQuery, JsonBody(body): JsonBody<ExtendBody>) -> Result<Response, Problem> {
    let resource = rules::resource_of_key(&body.key)?;
    let extended = app.locks.extend(&resource, &body.token, body.ttl_ms).await.map_err(problems::change)?;
    if !matches!(extended, Extended::Until { .. }) {
        app.count("lost", 1);
    }
    Ok(json(&ExtendResponse::from(extended)))
}
