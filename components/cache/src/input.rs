//! The bodies of requests for several keys: `warm`, `mget` and `mset`.

use std::collections::BTreeSet;

use problem::{FieldError, Object, Problem};
use serde::de::{Deserialize, Deserializer};
use serde_json::Number;
use serde_json::value::RawValue;

use crate::key::{KEY_MAX, Key};
use crate::members::Members;
use crate::ttl::{self, Seconds};

/// Keys of one request, at most.
pub const KEYS_MAX: usize = 1_000;
/// Bytes of one value, at most.
pub const VALUE_MAX: usize = 512 * 1024;

/// The body of `POST /api/cache/warm`.
#[derive(Debug)]
pub struct WarmRequest {
    /// What is to be there, as often as it was named.
    pub keys: Vec<Key>,
    /// How long what is filled now is to live.
    pub ttl: Option<Seconds>,
}

/// The body of `POST /api/cache/mset`.
#[derive(Debug)]
pub struct MsetRequest {
    /// The keys, each once, and the JSON text to be stored under them.
    pub entries: Vec<(Key, Box<RawValue>)>,
    /// How long they are to live.
    pub ttl: Option<Seconds>,
}

// Members are optional here so that all that is wrong can be told at once.

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct WarmBody {
    #[serde(default, deserialize_with = "present")]
    keys: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    ttl: Option<Number>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct MgetBody {
    #[serde(default, deserialize_with = "present")]
    keys: Option<Vec<String>>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct MsetBody {
    #[serde(default, deserialize_with = "present")]
    entries: Option<Members>,
    #[serde(default, deserialize_with = "present")]
    ttl: Option<Number>,
}

impl WarmRequest {
    /// Reads it.
    ///
    /// # Errors
    /// Malformed JSON; members that are missing, unknown or not valid.
    pub fn from_body(bytes: &[u8]) -> Result<Self, Problem> {
        let Object(body): Object<WarmBody> = problem::parse(bytes)?;
        let mut errors = Vec::new();
        let keys = keys(body.keys, &mut errors);
        let ttl = ttl::member(body.ttl, &mut errors);
        checked(Self { keys, ttl }, errors)
    }
}

/// Reads the body of `POST /api/cache/mget`: the keys, each once, in their order.
///
/// # Errors
/// Malformed JSON; members that are missing, unknown or not valid.
pub fn mget_keys(bytes: &[u8]) -> Result<Vec<Key>, Problem> {
    let Object(body): Object<MgetBody> = problem::parse(bytes)?;
    let mut errors = Vec::new();
    let mut keys = keys(body.keys, &mut errors);
    let mut seen = BTreeSet::new();
    keys.retain(|key| seen.insert(key.clone()));
    checked(keys, errors)
}

impl MsetRequest {
    /// Reads it.
    ///
    /// # Errors
    /// Malformed JSON; members that are missing, unknown, doubled or not valid.
    pub fn from_body(bytes: &[u8]) -> Result<Self, Problem> {
        let Object(body): Object<MsetBody> = problem::parse(bytes)?;
        let mut errors = Vec::new();
        let entries = entries(body.entries, &mut errors);
        let ttl = ttl::member(body.ttl, &mut errors);
        checked(Self { entries, ttl }, errors)
    }
}

/// A member that may be absent, but not null.
pub fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

fn checked<T>(input: T, errors: Vec<FieldError>) -> Result<T, Problem> {
    if errors.is_empty() { Ok(input) } else { Err(Problem::validation(errors)) }
}

fn keys(texts: Option<Vec<String>>, errors: &mut Vec<FieldError>) -> Vec<Key> {
    let Some(texts) = texts else {
        errors.push(FieldError::at("/keys", "is missing"));
        return Vec::new();
    };
    if texts.is_empty() || texts.len() > KEYS_MAX {
        errors.push(FieldError::at("/keys", format!("must have 1 to {KEYS_MAX} elements")));
        return Vec::new();
    }
    let mut keys = Vec::with_capacity(texts.len());
    for (at, text) in texts.into_iter().enumerate() {
        match Key::new(text) {
            Some(key) => keys.push(key),
            None => errors.push(FieldError::at(format!("/keys/{at}"), format!("must have 1 to {KEY_MAX} bytes"))),
        }
    }
    keys
}

fn entries(members: Option<Members>, errors: &mut Vec<FieldError>) -> Vec<(Key, Box<RawValue>)> {
    let Some(Members(members)) = members else {
        errors.push(FieldError::at("/entries", "is missing"));
        return Vec::new();
    };
    if members.is_empty() || members.len() > KEYS_MAX {
        errors.push(FieldError::at("/entries", format!("must have 1 to {KEYS_MAX} members")));
        return Vec::new();
    }
    let mut seen = BTreeSet::new();
    let mut entries = Vec::with_capacity(members.len());
    for (name, value) in members {
        let Some(key) = Key::new(name) else {
            // Its pointer could be as long as the body.
            errors.push(FieldError::at("/entries", format!("must have keys of 1 to {KEY_MAX} bytes")));
            continue;
        };
        let pointer = || ["/entries/", &key.as_str().replace('~', "~0").replace('/', "~1")].concat();
        if value.get().len() > VALUE_MAX {
            errors.push(FieldError::at(pointer(), format!("must have at most {VALUE_MAX} bytes")));
        } else if !seen.insert(key.clone()) {
            errors.push(FieldError::at(pointer(), "is given more than once"));
        } else {
            entries.push((key, value));
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointers(problem: &Problem) -> (u16, Vec<&str>) {
        (problem.status(), problem.errors().iter().filter_map(FieldError::pointer).collect())
    }

    #[test]
    fn keys_are_counted_and_measured() {
        let body = |count: usize| serde_json::json!({ "keys": vec!["k"; count] }).to_string();
        assert_eq!(WarmRequest::from_body(body(KEYS_MAX).as_bytes()).unwrap().keys.len(), KEYS_MAX);
        assert_eq!(mget_keys(body(KEYS_MAX).as_bytes()).unwrap().len(), 1, "each once");
        for count in [0, KEYS_MAX + 1] {
            assert_eq!(pointers(&mget_keys(body(count).as_bytes()).unwrap_err()), (422, vec!["/keys"]));
        }
        let long = serde_json::json!({ "keys": ["a", "", "é".repeat(256), "é".repeat(257)], "ttl": 0 }).to_string();
        let problem = WarmRequest::from_body(long.as_bytes()).unwrap_err();
        assert_eq!(pointers(&problem), (422, vec!["/keys/1", "/keys/3", "/ttl"]));
    }

    #[test]
    fn bodies_that_are_not_requests_are_refused_by_name() {
        let refused = |body: &str| {
            let problem = WarmRequest::from_body(body.as_bytes()).unwrap_err();
            (problem.status(), problem.errors().first().and_then(FieldError::pointer).map(str::to_owned))
        };
        let at = |pointer: &str| (422, Some(pointer.to_owned()));
        assert_eq!(refused(""), (400, None));
        assert_eq!(refused("{\"keys\":[\"a\"]"), (400, None));
        assert_eq!(refused("{}"), at("/keys"));
        assert_eq!(refused("[]"), at(""));
        assert_eq!(refused(r#"{"keys":"a"}"#), at("/keys"));
        assert_eq!(refused(r#"{"keys":["a",5]}"#), at("/keys/1"));
        assert_eq!(refused(r#"{"keys":null}"#), at("/keys"));
        assert_eq!(refused(r#"{"keys":["a"],"ttl":"60"}"#), at("/ttl"));
        assert_eq!(refused(r#"{"keys":["a"],"ttl":null}"#), at("/ttl"));
        assert_eq!(refused(r#"{"keys":["a"],"force":true}"#), at("/force"));
    }

    #[test]
    fn values_keep_their_text() {
        let body = br#" {"entries": {"a": 1.10 , "b": {"z":1e400, "z" : "\ud800"},"":null} , "ttl": 7}"#;
        let problem = MsetRequest::from_body(body).unwrap_err();
        assert_eq!(pointers(&problem), (422, vec!["/entries"]));
        let body = String::from_utf8_lossy(body).replace(r#","":null"#, "");
        let request = MsetRequest::from_body(body.as_bytes()).unwrap();
        let texts: Vec<_> = request.entries.iter().map(|(key, value)| (key.as_str(), value.get())).collect();
        assert_eq!(texts, [("a", "1.10"), ("b", r#"{"z":1e400, "z" : "\ud800"}"#)]);
        assert_eq!(request.ttl, Some(7));
    }

    #[test]
    fn entries_are_counted_measured_and_given_once() {
        let refused = |body: &str| MsetRequest::from_body(body.as_bytes()).unwrap_err();
        assert_eq!(pointers(&refused(r#"{"entries":{"a/~":1,"b":2,"a/~":3}}"#)), (422, vec!["/entries/a~1~0"]));
        let big = format!(r#"{{"entries":{{"a":"{}","b":"{}"}}}}"#, "x".repeat(VALUE_MAX - 2), "x".repeat(VALUE_MAX));
        assert_eq!(pointers(&refused(&big)), (422, vec!["/entries/b"]));
        for bad in [r#"{"entries":{}}"#, "{}", r#"{"entries":[]}"#, r#"{"entries":null}"#] {
            assert_eq!(pointers(&refused(bad)), (422, vec!["/entries"]), "{bad}");
        }
        assert_eq!(refused(r#"{"entries":{"a":nul}}"#).status(), 400);
    }

    #[test]
    fn deeply_nested_values_are_values() {
        let depth = 100_000;
        let body = format!(r#"{{"entries":{{"a":{}{}}}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert_eq!(MsetRequest::from_body(body.as_bytes()).unwrap().entries.len(), 1);
    }
}
