//! `POST /api/cache/mset`: stores several values.

use std::collections::HashSet;

use axum::extract::Request;
use axum::response::Response;
use http_api::response::json;
use http_api::{
    Errors, FromJson, MemberList, Members, NoQuery, Object, Problem, Shared, pointer_to, present, read_body,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Number, json};

use crate::app::App;
use crate::key::{KEY_MAX, KEYS_MAX, Key};
use crate::kv::VALUE_MAX;
use crate::ttl::{Seconds, TTL};
use crate::{cache_events, kv, problems};

/// How many copies of the values are in memory while they are stored: in the body, as members, in their envelopes, and
/// in the command to Redis.
const COPIES: usize = 4;

/// The body.
#[derive(Debug)]
struct MsetBody {
    /// The keys without duplicates, and the JSON to store under them.
    entries: Vec<(Key, Box<RawValue>)>,
    ttl: Option<Seconds>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawMset {
    #[serde(deserialize_with = "present")]
    entries: Option<Members>,
    #[serde(deserialize_with = "present")]
    ttl: Option<Number>,
}

impl FromJson for MsetBody {
    type Raw = Object<RawMset>;
    const MAX_BYTES: usize = 8 * 1024 * 1024;

    fn check(Object(body): Object<RawMset>, errors: &mut Errors) -> Option<Self> {
        let members = errors.required("/entries", body.entries, |Members(members)| match members.len() {
            1..=KEYS_MAX => Ok(members),
            _ => Err(format!("must have 1 to {KEYS_MAX} members")),
        });
        let entries = members.map(|members| check_entries(members, errors));
        let ttl = errors.optional("/ttl", body.ttl, |ttl| TTL.of_json(ttl));
        Some(Self { entries: entries?, ttl })
    }
}

/// # Errors
/// A bad body; there is no TTL; not enough memory in time; Redis is unavailable.
pub async fn mset(app: Shared<App>, _: NoQuery, request: Request) -> Result<Response, Problem> {
    let body = read_body(request, MsetBody::MAX_BYTES).await?;
    let _reservation = app.reserve(COPIES * body.len()).await?;
    let MsetBody { entries, ttl } = MsetBody::from_json(&body)?;
    drop(body);
    let ttl_s = app.ttl(ttl).ok_or_else(problems::missing_ttl_member)?;
    let entries: Vec<_> = entries
        .into_iter()
        .map(|(key, value)| (kv::entry_with_ttl(&key, ttl_s), Box::<str>::from(value).into_string().into_bytes()))
        .collect();
    app.cache.mset(&entries).await.map_err(problems::redis_change)?;
    app.events.emit(cache_events::set_many(entries.len()));
    Ok(json(&json!({ "stored": entries.len() })))
}

fn check_entries(members: MemberList, errors: &mut Errors) -> Vec<(Key, Box<RawValue>)> {
    let mut seen = HashSet::new();
    let mut entries = Vec::with_capacity(members.len());
    for (name, value) in members {
        let Ok(key) = Key::new(name) else {
            // A pointer to the member could be as long as the body.
            errors.add("/entries", format!("must have keys of 1 to {KEY_MAX} bytes"));
            continue;
        };
        let pointer = || ["/entries", &pointer_to(key.as_str())].concat();
        if value.get().len() > VALUE_MAX {
            errors.add(&pointer(), format!("must have at most {VALUE_MAX} bytes"));
        } else if !seen.insert(key.clone()) {
            errors.add(&pointer(), "is given more than once");
        } else {
            entries.push((key, value));
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong_fields(body: &str) -> Vec<String> {
        let problem = MsetBody::from_json(body.as_bytes()).expect_err(body);
        assert_eq!(problem.status(), 422);
        problem.wrong_fields().into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn values_keep_their_text() {
        let body = r#" {"entries": {"a": 1.10 , "b": {"z":1e400, "z" : "\ud800"},"":null} , "ttl": 7}"#;
        assert_eq!(wrong_fields(body), ["/entries"]);
        let request = MsetBody::from_json(body.replace(r#","":null"#, "").as_bytes()).unwrap();
        let texts: Vec<_> = request.entries.iter().map(|(key, value)| (key.as_str(), value.get())).collect();
        assert_eq!(texts, [("a", "1.10"), ("b", r#"{"z":1e400, "z" : "\ud800"}"#)]);
        assert_eq!(request.ttl, Some(7));
    }

    #[test]
    fn entries_are_counted_measured_and_given_once() {
        assert_eq!(wrong_fields(r#"{"entries":{"a/~":1,"b":2,"a/~":3}}"#), ["/entries/a~1~0"]);
        let big = format!(r#"{{"entries":{{"a":"{}","b":"{}"}}}}"#, "x".repeat(VALUE_MAX - 2), "x".repeat(VALUE_MAX));
        assert_eq!(wrong_fields(&big), ["/entries/b"]);
        assert_eq!(wrong_fields(r#"{"entries":null}"#), ["/entries"]);
    }

    #[test]
    fn deeply_nested_values_are_values() {
        let depth = 100_000;
        let body = format!(r#"{{"entries":{{"a":{}{}}}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert_eq!(MsetBody::from_json(body.as_bytes()).unwrap().entries.len(), 1);
    }
}
