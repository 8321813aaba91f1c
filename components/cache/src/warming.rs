//! Filling keys that are missing, several at a time: on request, and when an instance starts.

use std::collections::BTreeSet;
use std::str::FromStr;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use http_api::Shared;
use ports::{Arg, RedisError, Reply, Runtime};
use spin_adapter::{Service, SpinRuntime};
use versioned_cache::{ReadResult, Source, Stored};

use crate::app::App;
use crate::key::{KEYS_MAX, Key};
use crate::kv::{self, VALUE_MAX};
use crate::origin::OriginError;
use crate::ttl::Seconds;

/// How many keys are filled concurrently. This limits the load on the origin.
const WIDTH: usize = 16;
/// Bytes of memory that one key may take while it is filled. Its value is in memory as the response of the origin, for
/// requests that wait for it, with its envelope, and while it is sent.
const BYTES_PER_KEY: usize = 5 * VALUE_MAX;
/// After this time, no more keys are started.
const MAX_MS: u64 = 20_000;
/// The key in Redis that exists while no other instance starts a warm-up, and for how long that is.
const WARMED_RECENTLY: &str = "cache:warm-up";
const WARMED_RECENTLY_MS: i64 = 60_000;

/// The variable `cache_warm_keys`: keys that are filled when an instance starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WarmKeys(BTreeSet<Key>);

/// `cache_warm_keys` has a key that is too long, or too many keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidKeys;

impl FromStr for WarmKeys {
    type Err = InvalidKeys;

    /// Keys with commas between them. White space around a key does not count.
    fn from_str(text: &str) -> Result<Self, InvalidKeys> {
        let keys = text.split(',').map(str::trim).filter(|key| !key.is_empty()).map(|key| Key::new(key.to_owned()));
        let keys: BTreeSet<Key> = keys.collect::<Result<_, _>>().map_err(|_| InvalidKeys)?;
        if keys.len() > KEYS_MAX { Err(InvalidKeys) } else { Ok(Self(keys)) }
    }
}

/// What became of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The cache had a value, or another request has stored one.
    Present,
    /// It was fetched and stored.
    Filled,
    /// The reason, for the client.
    Failed(&'static str),
}

/// Fills the keys of the variable `cache_warm_keys` in the background. Of all instances, one does this in a minute.
pub fn start(service: &Service, app: &Shared<App>) {
    if app.warm_keys.0.is_empty() {
        return;
    }
    let Some(ttl_s) = app.ttl(None) else {
        tracing::warn!("cache_warm_keys has no effect, because cache_ttl_kv_get is 0");
        return;
    };
    let (client, app) = (service.client.clone(), app.clone());
    SpinRuntime.spawn(async move {
        let first = [WARMED_RECENTLY.into(), "1".into(), "NX".into(), "PX".into(), Arg::Int(WARMED_RECENTLY_MS)];
        match client.call_one("SET", first.into()).await {
            Ok(Reply::Nil) => return,
            Ok(_) => {}
            Err(error) => return tracing::warn!(%error, "the cache was not warmed up"),
        }
        match fill(&app, app.warm_keys.0.clone(), ttl_s).await {
            Ok(outcomes) => {
                let count =
                    |wanted: fn(&Outcome) -> bool| outcomes.iter().filter(|(_, outcome)| wanted(outcome)).count();
                let filled = count(|outcome| *outcome == Outcome::Filled);
                let failed = count(|outcome| matches!(outcome, Outcome::Failed(_)));
                tracing::info!(keys = outcomes.len(), filled, failed, "the cache was warmed up");
            }
            Err(error) => tracing::warn!(%error, "the cache was not warmed up"),
        }
    });
}

/// Fills those of the keys that are not cached. Returns all of them in their order.
///
/// # Errors
/// Redis is unreachable.
pub async fn fill(app: &App, keys: BTreeSet<Key>, ttl_s: Seconds) -> Result<Vec<(Key, Outcome)>, RedisError> {
    let end_ms = SpinRuntime.monotonic_ms() + MAX_MS;
    let mut outcomes: Vec<(Key, Outcome)> = stream::iter(keys)
        .map(async |key| {
            let outcome = fill_one(app, &key, ttl_s, end_ms).await?;
            Ok((key, outcome))
        })
        .buffer_unordered(WIDTH)
        .try_collect()
        .await?;
    outcomes.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    Ok(outcomes)
}

async fn fill_one(app: &App, key: &Key, ttl_s: Seconds, end_ms: u64) -> Result<Outcome, RedisError> {
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
    use versioned_cache::{Bypass, CacheStatus};

    #[test]
    fn keys_are_separated_by_commas() {
        let keys = |text: &str| text.parse::<WarmKeys>().map(|keys| keys.0.len());
        assert_eq!((keys(""), keys(" , "), keys("a, b c,,a")), (Ok(0), Ok(0), Ok(2)));
        assert_eq!(keys(&"k".repeat(513)), Err(InvalidKeys));
        let many = |count: usize| (0..count).map(|key| key.to_string()).collect::<Vec<_>>().join(",");
        assert_eq!((keys(&many(KEYS_MAX)), keys(&many(KEYS_MAX + 1))), (Ok(KEYS_MAX), Err(InvalidKeys)));
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
