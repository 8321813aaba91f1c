//! `POST /api/cache/mget`: several values from the cache, without asking the origin.

use std::collections::HashSet;

use axum::response::Response;
use http_api::{Errors, FromJson, JsonBody, NoQuery, Object, Problem, Shared, present};
use ports::REPLY_MAX;
use serde::Deserialize;
use spin_adapter::exceeds_limit;
use versioned_cache::Entry;

use crate::app::App;
use crate::described::{Described, RawDescribed};
use crate::key::{KEYS_BODY_MAX, KEYS_MAX, Key};
use crate::kv::{self, VALUE_MAX};
use crate::limited::Limited;
use crate::ttl::TTL_MAX_S;
use crate::{problems, responses};

/// The body.
#[derive(Debug)]
pub enum MgetBody {
    /// Keys in their order, without duplicates.
    Keys(Vec<Key>),
    /// Described entries in their order.
    Described(Vec<Described>),
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawMget {
    #[serde(deserialize_with = "present")]
    keys: Option<Vec<String>>,
    #[serde(deserialize_with = "present")]
    entries: Option<Limited<Object<RawDescribed>, KEYS_MAX>>,
}

impl FromJson for MgetBody {
    type Raw = Object<RawMget>;
    const MAX_BYTES: usize = KEYS_BODY_MAX;

    fn check(Object(body): Object<RawMget>, errors: &mut Errors) -> Option<Self> {
        let Some(Limited(entries)) = body.entries else {
            let mut keys = Key::list(body.keys, errors)?;
            let mut seen = HashSet::new();
            keys.retain(|key| seen.insert(key.clone()));
            return Some(Self::Keys(keys));
        };
        if body.keys.is_some() {
            errors.add("/entries", "cannot be combined with keys");
            return None;
        }
        let entries = errors.required("/entries", Some(entries), |entries| match entries.len() {
            1..=KEYS_MAX => Ok(entries),
            _ => Err(format!("must have 1 to {KEYS_MAX} elements")),
        })?;
        errors.each("/entries", entries, |errors, Object(entry)| entry.check(errors)).map(Self::Described)
    }
}

/// # Errors
/// A bad body; Redis is unavailable; not enough memory in time; the values together are too large.
pub async fn mget(app: Shared<App>, _: NoQuery, JsonBody(body): JsonBody<MgetBody>) -> Result<Response, Problem> {
    let entries: Vec<Entry> = match &body {
        MgetBody::Keys(keys) => keys.iter().map(kv::entry).collect(),
        MgetBody::Described(entries) => entries.iter().map(|entry| entry.entry(TTL_MAX_S)).collect(),
    };
    // The values' size is unknown until they have arrived: the most that they may have is reserved.
    let mut reservation = app.reserve(REPLY_MAX.min(entries.len() * VALUE_MAX)).await?;
    let cached = app.bulk_cache.mget(&entries).await.map_err(|error| match error {
        error if exceeds_limit(&error) => problems::too_large(REPLY_MAX),
        error => problems::redis(error),
    })?;
    reservation.shrink_to(cached.iter().flatten().map(|cached| cached.value.len()).sum());
    let values = cached.into_iter().map(|cached| cached.map(|cached| cached.value));
    Ok(match &body {
        MgetBody::Keys(keys) => responses::many_values(keys.iter().zip(values), reservation),
        MgetBody::Described(_) => responses::many_entries(values, reservation),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_counted_and_duplicates_are_dropped() {
        let read = |count: usize| MgetBody::from_json(json!({ "keys": vec!["k"; count] }).to_string().as_bytes());
        assert!(matches!(read(KEYS_MAX).unwrap(), MgetBody::Keys(keys) if keys.len() == 1));
        for count in [0, KEYS_MAX + 1] {
            let problem = read(count).unwrap_err();
            assert_eq!((problem.status().as_u16(), problem.wrong_fields()), (422, vec!["/keys"]));
        }
        let many = format!(r#"{{"entries":[{}{{}}]}}"#, "{},".repeat(KEYS_MAX));
        assert_eq!(MgetBody::from_json(many.as_bytes()).unwrap_err().wrong_fields(), ["/entries"]);
    }
}
