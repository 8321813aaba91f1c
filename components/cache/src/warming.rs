//! `POST /api/cache/warm`: fills the keys that are missing, some at a time.

use std::collections::BTreeSet;

use axum::extract::Request;
use axum::response::Response;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use ports::{RedisError, Runtime};
use serde::Serialize;
use spin_adapter::SpinRuntime;
use spin_adapter::http::{Failure, read_body};
use versioned_cache::{ReadResult, Source, Stored};

use crate::app::App;
use crate::input::{VALUE_MAX, WarmRequest};
use crate::key::Key;
use crate::many_keys::KEYS_BODY_MAX;
use crate::one_key::MEDIA_TYPE;
use crate::origin::OriginError;
use crate::ttl::Seconds;
use crate::{answers, failures};

/// How many keys are filled at once: what the origin has to bear from one request.
const WIDTH: usize = 16;
/// What one key may take in memory while it is filled, in bytes: its value as it comes, as it is handed to those who wait
/// for it, sealed, and sent.
const EACH: usize = 5 * VALUE_MAX;
/// How long one request may go on starting to fill keys.
const BUDGET_MS: u64 = 20_000;

/// What became of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It was there, or is now, by somebody else's doing.
    Present,
    Filled,
    /// The reason, for the client.
    Failed(&'static str),
}

/// What the route answers.
#[derive(Debug, Serialize)]
struct Warmed<'a> {
    /// Keys that were asked for.
    warmed: usize,
    /// Keys that this request fetched and stored.
    filled: usize,
    failed: Vec<Failed<'a>>,
}

/// A key that could not be filled.
#[derive(Debug, Serialize)]
struct Failed<'a> {
    key: &'a str,
    reason: &'static str,
}

/// Answers how many keys were asked for, how many of them this request filled, and which ones it could not.
///
/// # Errors
/// A bad body, no TTL, no Redis.
pub async fn warm(app: &App, request: Request) -> Result<Response, Failure> {
    let WarmRequest { keys, ttl } = WarmRequest::from_body(&read_body(request, MEDIA_TYPE, KEYS_BODY_MAX).await?)?;
    let ttl_s = app.ttl(ttl).ok_or_else(failures::ttl_member_needed)?;
    let warmed = keys.len();
    let until_ms = SpinRuntime.monotonic_ms() + BUDGET_MS;
    let each_once: BTreeSet<Key> = keys.into_iter().collect();
    let mut outcomes: Vec<(Key, Outcome)> = stream::iter(each_once)
        .map(async |key| {
            let outcome = warm_one(app, &key, ttl_s, until_ms).await?;
            Ok((key, outcome))
        })
        .buffer_unordered(WIDTH)
        .try_collect()
        .await
        .map_err(failures::redis)?;
    outcomes.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let filled = outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Filled).count();
    let failed = outcomes.iter().filter_map(|(key, outcome)| match outcome {
        Outcome::Failed(reason) => Some(Failed { key: key.as_str(), reason }),
        Outcome::Present | Outcome::Filled => None,
    });
    Ok(answers::ok(&Warmed { warmed, filled, failed: failed.collect() }))
}

async fn warm_one(app: &App, key: &Key, ttl_s: Seconds, until_ms: u64) -> Result<Outcome, RedisError> {
    if app.cache.exists(&app.any_entry(key)).await?.is_some() {
        return Ok(Outcome::Present);
    }
    let left_ms = until_ms.saturating_sub(SpinRuntime.monotonic_ms());
    let Some(_share) = app.warming.share(EACH, left_ms).await else {
        return Ok(Outcome::Failed("out-of-time"));
    };
    if SpinRuntime.monotonic_ms() >= until_ms {
        return Ok(Outcome::Failed("out-of-time"));
    }
    Ok(outcome(app.get_or_fetch(key, Some(ttl_s)).await))
}

fn outcome(answer: Result<ReadResult, OriginError>) -> Outcome {
    match answer {
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
    use versioned_cache::{Bypass, CacheStatus};

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
