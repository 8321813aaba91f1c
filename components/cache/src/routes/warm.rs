//! `POST /api/cache/warm`: fills the keys that are missing, several at a time.

use std::collections::BTreeSet;

use axum::response::Response;
use http_api::response::json;
use http_api::{Errors, FromJson, JsonBody, NoQuery, Object, Problem, Shared, present};
use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::app::App;
use crate::key::{KEYS_BODY_MAX, Key};
use crate::ttl::{Seconds, TTL};
use crate::warming::Outcome;
use crate::{problems, warming};

/// The body.
#[derive(Debug)]
pub struct WarmBody {
    /// The keys, duplicates included.
    keys: Vec<Key>,
    ttl: Option<Seconds>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawWarm {
    #[serde(deserialize_with = "present")]
    keys: Option<Vec<String>>,
    #[serde(deserialize_with = "present")]
    ttl: Option<Number>,
}

impl FromJson for WarmBody {
    type Raw = Object<RawWarm>;
    const MAX_BYTES: usize = KEYS_BODY_MAX;

    fn check(Object(body): Object<RawWarm>, errors: &mut Errors) -> Option<Self> {
        let keys = Key::list(body.keys, errors);
        let ttl = errors.optional("/ttl", body.ttl, |ttl| TTL.of_json(ttl));
        Some(Self { keys: keys?, ttl })
    }
}

#[derive(Serialize)]
struct Warmed<'a> {
    /// The number of keys in the request.
    warmed: usize,
    /// The number of keys that this request fetched and stored.
    filled: usize,
    failed: Vec<Failed<'a>>,
}

#[derive(Serialize)]
struct Failed<'a> {
    key: &'a str,
    reason: &'static str,
}

/// # Errors
/// A bad body; there is no TTL; Redis is unavailable.
pub async fn warm(app: Shared<App>, _: NoQuery, JsonBody(body): JsonBody<WarmBody>) -> Result<Response, Problem> {
    let ttl_s = app.ttl(body.ttl).ok_or_else(problems::missing_ttl_member)?;
    let warmed = body.keys.len();
    let keys: BTreeSet<Key> = body.keys.into_iter().collect();
    let outcomes = warming::fill(&app, keys, ttl_s).await.map_err(problems::redis)?;
    let filled = outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Filled).count();
    let failed = outcomes.iter().filter_map(|(key, outcome)| match outcome {
        Outcome::Failed(reason) => Some(Failed { key: key.as_str(), reason }),
        Outcome::Present | Outcome::Filled => None,
    });
    Ok(json(&Warmed { warmed, filled, failed: failed.collect() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KEYS_MAX;
    use serde_json::json;

    #[test]
    fn keys_are_counted_and_measured() {
        let body = json!({ "keys": vec!["k"; KEYS_MAX] }).to_string();
        assert_eq!(WarmBody::from_json(body.as_bytes()).unwrap().keys.len(), KEYS_MAX);
        let long = json!({ "keys": ["a", "", "é".repeat(256), "é".repeat(257)], "ttl": 0 }).to_string();
        let problem = WarmBody::from_json(long.as_bytes()).unwrap_err();
        assert_eq!((problem.status().as_u16(), problem.wrong_fields()), (422, vec!["/keys/1", "/keys/3", "/ttl"]));
    }
}
