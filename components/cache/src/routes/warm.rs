//! `POST /api/cache/warm`: fills the keys that are missing, several at a time.

use std::collections::BTreeSet;

use axum::response::Response;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use http_api::response::json;
use http_api::{Errors, FromJson, JsonBody, NoQuery, Object, Problem, Shared, present};
use ports::{RedisError, Runtime};
use serde::{Deserialize, Serialize};
use serde_json::Number;
use spin_adapter::SpinRuntime;
use versioned_cache::{ReadResult, Source, Stored};

use crate::app::App;
use crate::key::{KEYS_BODY_MAX, Key};
use crate::kv::{self, VALUE_MAX};
use crate::origin::OriginError;
use crate::problems;
use crate::ttl::{Seconds, TTL};

/// How many keys one request fills concurrently. This limits its load on the origin.
const WIDTH: usize = 16;
/// Bytes of memory that one key may take while it is filled. Its value is in memory as the response of the origin, for
/// requests that wait for it, with its envelope, and while it is sent.
const BYTES_PER_KEY: usize = 5 * VALUE_MAX;
/// After this time, a request starts to fill no more keys.
const MAX_MS: u64 = 20_000;

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

/// What became of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// The cache had a value, or another request has stored one.
    Present,
    Filled,
    /// The reason, for the client.
    Failed(&'static str),
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
    let end_ms = SpinRuntime.monotonic_ms() + MAX_MS;
    let keys: BTreeSet<Key> = body.keys.into_iter().collect();
    let mut outcomes: Vec<(Key, Outcome)> = stream::iter(keys)
        .map(async |key| {
            let outcome = warm_one(&app, &key, ttl_s, end_ms).await?;
            Ok((key, outcome))
        })
        .buffer_unordered(WIDTH)
        .try_collect()
        .await
        .map_err(problems::redis)?;
    outcomes.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let filled = outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Filled).count();
    let failed = outcomes.iter().filter_map(|(key, outcome)| match outcome {
        Outcome::Failed(reason) => Some(Failed { key: key.as_str(), reason }),
        Outcome::Present | Outcome::Filled => None,
    });
    Ok(json(&Warmed { warmed, filled, failed: failed.collect() }))
}

async fn warm_one(app: &App, key: &Key, ttl_s: Seconds, end_ms: u64) -> Result<Outcome, RedisError> {
    if app.cache.exists(&kv::entry(key)).await?.is_some() {
        return Ok(Outcome::Present);
    }
    let left_ms = end_ms.saturating_sub(SpinRuntime.monotonic_ms());
    let Some(_reservation) = app.warm_memory.reserve(BYTES_PER_KEY, left_ms).await else {
        return Ok(Outcome::Failed("out-of-time"));
    };
    if SpinRuntime.monotonic_ms() >= end_ms {
        return Ok(Outcome::Failed("out-of-time"));
    }
    Ok(outcome(app.get_or_fetch(key, Some(ttl_s)).await))
}

fn outcome(result: Result<ReadResult, OriginError>) -> Outcome {
    match result {
        Ok(ReadResult { value: None, .. }) => Outcome::Failed("not-found"),
        Ok(ReadResult { value: Some(_), status }) => match status.source {
            Source::Miss(Stored::Yes) => Outcome::Filled,
            Source::Hit | Source::Miss(Stored::Collapsed | Stored::Overtaken) => Outcome::Present,
            Source::Miss(_) | Source::Bypass(_) => Outcome::Failed("not-stored"),
        },
        Err(OriginError::TimedOut) => Outcome::Failed("origin-timeout"),
        Err(OriginError::Unreachable) => Outcome::Failed("origin-unreachable"),
        Err(OriginError::Unusable(_)) => Outcome::Failed("origin-unusable"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KEYS_MAX;
    use serde_json::json;
    use versioned_cache::{Bypass, CacheStatus};

    #[test]
    fn keys_are_counted_and_measured() {
        let body = json!({ "keys": vec!["k"; KEYS_MAX] }).to_string();
        assert_eq!(WarmBody::from_json(body.as_bytes()).unwrap().keys.len(), KEYS_MAX);
        let long = json!({ "keys": ["a", "", "é".repeat(256), "é".repeat(257)], "ttl": 0 }).to_string();
        let problem = WarmBody::from_json(long.as_bytes()).unwrap_err();
        assert_eq!((problem.status().as_u16(), problem.wrong_fields()), (422, vec!["/keys/1", "/keys/3", "/ttl"]));
    }

    #[test]
    fn only_what_this_request_stored_counts_as_filled() {
        let of = |found: bool, source| {
            let status = CacheStatus { source, ttl_s: None, key: None };
            outcome(Ok(ReadResult { value: found.then(Vec::new), status }))
        };
        assert_eq!(of(true, Source::Miss(Stored::Yes)), Outcome::Filled);
        assert_eq!(of(true, Source::Miss(Stored::Collapsed)), Outcome::Present);
        assert_eq!(of(true, Source::Miss(Stored::Overtaken)), Outcome::Present);
        assert_eq!(of(true, Source::Hit), Outcome::Present);
        assert_eq!(of(true, Source::Miss(Stored::Failed)), Outcome::Failed("not-stored"));
        assert_eq!(of(true, Source::Bypass(Bypass::Unreachable)), Outcome::Failed("not-stored"));
        assert_eq!(of(false, Source::Miss(Stored::Yes)), Outcome::Failed("not-found"));
        assert_eq!(of(false, Source::Hit), Outcome::Failed("not-found"));
        assert_eq!(outcome(Err(OriginError::TimedOut)), Outcome::Failed("origin-timeout"));
    }
}
