//! `POST /api/cache/mset`: stores several values.

use std::collections::HashSet;
use std::fmt;

use axum::extract::Request;
use axum::response::Response;
use http_api::response::json;
use http_api::{
    Errors, FromJson, MemberList, Members, NoQuery, Object, Problem, Shared, pointer_to, present, read_body,
};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Number, Value, json};

use crate::app::App;
use crate::described::{Described, RawDescribed};
use crate::key::{KEY_MAX, KEYS_MAX, Key};
use crate::kv::VALUE_MAX;
use crate::limited::Limited;
use crate::ttl::{Seconds, TTL, TTL_MAX_S, TTL_OR_NONE};
use crate::{cache_events, kv, problems};

/// How many copies of the values are in memory while they are stored: in the body, as members, in their envelopes, and
/// in the command to Redis.
const COPIES: usize = 4;

/// The body.
#[derive(Debug)]
struct MsetBody {
    entries: Entries,
    ttl: Option<Seconds>,
}

/// A described entry, its JSON and its TTL.
type DescribedValue = (Described, Box<RawValue>, Option<Seconds>);

/// What is to be stored, without duplicates.
#[derive(Debug)]
enum Entries {
    /// Keys, and the JSON to store under them.
    Keys(Vec<(Key, Box<RawValue>)>),
    /// Described entries.
    Described(Vec<DescribedValue>),
}

/// An object is a list of keys, an array is a list of described entries.
enum RawEntries {
    Keys(MemberList),
    Described(Vec<Object<RawStored>>),
}

/// A described entry with its value.
#[derive(Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawStored {
    #[serde(deserialize_with = "present")]
    module: Option<String>,
    #[serde(deserialize_with = "present")]
    operation: Option<String>,
    #[serde(deserialize_with = "present")]
    params: Option<Members>,
    #[serde(deserialize_with = "present")]
    user: Option<Value>,
    #[serde(deserialize_with = "present")]
    value: Option<Box<RawValue>>,
    #[serde(deserialize_with = "present")]
    ttl: Option<Number>,
}

impl<'de> Deserialize<'de> for RawEntries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;

        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = RawEntries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object or an array")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawEntries, A::Error> {
                let Members(members) = Members::deserialize(MapAccessDeserializer::new(map))?;
                Ok(RawEntries::Keys(members))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<RawEntries, A::Error> {
                let list = Limited::<_, KEYS_MAX>::deserialize(SeqAccessDeserializer::new(elements));
                list.map(|Limited(list)| RawEntries::Described(list))
            }
        }

        deserializer.deserialize_any(EntriesVisitor)
    }
}

#[derive(Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawMset {
    #[serde(deserialize_with = "present")]
    entries: Option<RawEntries>,
    #[serde(deserialize_with = "present")]
    ttl: Option<Number>,
}

impl FromJson for MsetBody {
    type Raw = Object<RawMset>;
    const MAX_BYTES: usize = 8 * 1024 * 1024;

    fn check(Object(body): Object<RawMset>, errors: &mut Errors) -> Option<Self> {
        let entries = errors.required("/entries", body.entries, |entries| match entries.len() {
            1..=KEYS_MAX => Ok(entries),
            _ => Err(format!("must have 1 to {KEYS_MAX} entries")),
        });
        let entries = entries.and_then(|entries| match entries {
            RawEntries::Keys(members) => Some(Entries::Keys(check_keys(members, errors))),
            RawEntries::Described(list) => check_described(list, errors).map(Entries::Described),
        });
        let ttl = errors.optional("/ttl", body.ttl, |ttl| TTL.of_json(ttl));
        Some(Self { entries: entries?, ttl })
    }
}

/// # Errors
/// A bad body; there is no TTL; a module is reserved; not enough memory in time; Redis is unavailable.
pub async fn mset(app: Shared<App>, _: NoQuery, request: Request) -> Result<Response, Problem> {
    let body = read_body(request, MsetBody::MAX_BYTES).await?;
    let _reservation = app.reserve(COPIES * body.len()).await?;
    let MsetBody { entries, ttl } = MsetBody::from_json(&body)?;
    drop(body);
    let (stored, event) = match entries {
        Entries::Keys(keys) => {
            let ttl_s = app.ttl(ttl).ok_or_else(problems::missing_ttl_member)?;
            let entries: Vec<_> =
                keys.into_iter().map(|(key, value)| (kv::entry_with_ttl(&key, ttl_s), bytes(value))).collect();
            app.cache.mset(&entries).await.map_err(problems::redis_change)?;
            (entries.len(), cache_events::set_many(entries.len()))
        }
        Entries::Described(list) => {
            let stored = store_described(&app, list, ttl).await?;
            (stored, cache_events::set_many_described(stored))
        }
    };
    if stored > 0 {
        app.events.emit(event);
    }
    Ok(json(&json!({ "stored": stored })))
}

/// Stores those whose TTL is not 0, and removes the others. Returns how many it stored.
async fn store_described(app: &App, list: Vec<DescribedValue>, ttl: Option<Seconds>) -> Result<usize, Problem> {
    list.iter().try_for_each(|(described, ..)| described.require_writable())?;
    let mut entries = Vec::with_capacity(list.len());
    for (described, value, own_ttl) in list {
        match app.described_ttl(&described, own_ttl.or(ttl)).await? {
            0 => drop(app.cache.delete(&described.entry(TTL_MAX_S)).await.map_err(problems::redis_change)?),
            ttl_s => entries.push((described.entry(ttl_s), bytes(value))),
        }
    }
    if !entries.is_empty() {
        app.cache.mset(&entries).await.map_err(problems::redis_change)?;
    }
    Ok(entries.len())
}

fn bytes(value: Box<RawValue>) -> Vec<u8> {
    Box::<str>::from(value).into_string().into_bytes()
}

impl RawEntries {
    fn len(&self) -> usize {
        match self {
            Self::Keys(members) => members.len(),
            Self::Described(list) => list.len(),
        }
    }
}

fn check_described(list: Vec<Object<RawStored>>, errors: &mut Errors) -> Option<Vec<DescribedValue>> {
    let mut seen = HashSet::new();
    errors.each("/entries", list, |errors, Object(raw)| {
        let RawStored { module, operation, params, user, value, ttl } = raw;
        let described = RawDescribed { module, operation, params, user }.check(errors);
        let value = errors.required("/value", value, |value| match value.get().len() {
            0..=VALUE_MAX => Ok(value),
            _ => Err(format!("must have at most {VALUE_MAX} bytes")),
        });
        let has_ttl = ttl.is_some();
        let ttl = errors.optional("/ttl", ttl, |ttl| TTL_OR_NONE.of_json(ttl));
        let (described, value) = (described?, value?);
        if !seen.insert(described.clone()) {
            errors.add("", "is given more than once");
            return None;
        }
        (ttl.is_some() == has_ttl).then_some((described, value, ttl))
    })
}

fn check_keys(members: MemberList, errors: &mut Errors) -> Vec<(Key, Box<RawValue>)> {
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
        let Entries::Keys(entries) = &request.entries else { panic!("an object is a list of keys") };
        let texts: Vec<_> = entries.iter().map(|(key, value)| (key.as_str(), value.get())).collect();
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
        let Entries::Keys(entries) = MsetBody::from_json(body.as_bytes()).unwrap().entries else { panic!("{depth}") };
        assert_eq!(entries.len(), 1);
    }

    #[test]
    fn an_array_is_a_list_of_described_entries() {
        let body = r#"{"entries":[{"module":"posts","operation":"list","params":{"page":1},"user":7,"value": 1.10,"ttl":0},
                                  {"module":"posts","operation":"list","value":null}]}"#;
        let Entries::Described(list) = MsetBody::from_json(body.as_bytes()).unwrap().entries else { panic!("{body}") };
        assert_eq!((list[0].1.get(), list[0].2, list[0].0.user.as_deref()), ("1.10", Some(0), Some("7")));
        assert_eq!(list[0].0.origin_target(), "posts/list?page=1&_user=7");
        assert_eq!((list[1].1.get(), list[1].2, &list[1].0.user), ("null", None, &None));
        let wrong = r#"{"entries":[{"module":"a.b","params":{"x":null},"user":"","ttl":-1,"more":1}]}"#;
        assert_eq!(wrong_fields(wrong), ["/entries/0/more"]);
        let wrong = wrong_fields(&wrong.replace(r#","more":1"#, ""));
        let members = ["module", "operation", "params/x", "user", "value", "ttl"];
        assert_eq!(wrong, members.map(|member| format!("/entries/0/{member}")));
        let twice = r#"{"module":"a","operation":"b","params":{"x":1},"value":1}"#;
        let many = format!(r#"{{"entries":[{}{{}}]}}"#, "{},".repeat(KEYS_MAX));
        assert_eq!(wrong_fields(&many), ["/entries"]);
        let same = twice.replace('1', "\"1\"");
        assert_eq!(wrong_fields(&format!(r#"{{"entries":[{twice},{same}]}}"#)), ["/entries/1"]);
    }
}
