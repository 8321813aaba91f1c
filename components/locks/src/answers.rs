//! Successful answers: what the lock protocol says, as JSON.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use spin_adapter::http::json;
use token_lock::{Extended, Grant, Inspected, Released, Resource};

/// The answer to an acquisition.
#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum Acquisition {
    /// One lock.
    Lock {
        /// Always true.
        acquired: bool,
        /// The lock.
        lock: Lock,
    },
    /// As many as were asked for, in the same order.
    Locks {
        /// Always true.
        acquired: bool,
        /// The locks.
        locks: Vec<Lock>,
    },
    /// None at all.
    Refused {
        /// Always false.
        acquired: bool,
        /// Milliseconds until what is in the way ends by itself.
        retry_after: u64,
    },
}

/// A lock, for its holder.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lock {
    key: String,
    token: String,
    fencing_token: u64,
    ttl: u64,
    expires_at: u64,
}

impl From<&Grant> for Lock {
    fn from(grant: &Grant) -> Self {
        Self {
            key: grant.resource.key(),
            token: grant.token.as_str().to_owned(),
            fencing_token: grant.fencing,
            ttl: grant.ttl_ms,
            expires_at: grant.expires_at_ms,
        }
    }
}

/// The answer to a release.
#[derive(Serialize)]
pub struct Release {
    released: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    expired: bool,
}

impl From<Released> for Release {
    fn from(released: Released) -> Self {
        Self { released: released != Released::HeldByAnother, expired: released == Released::Expired }
    }
}

/// The answer to an extension.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Extension {
    extended: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

impl From<Extended> for Extension {
    fn from(extended: Extended) -> Self {
        let (expires_at, reason) = match extended {
            Extended::Until { expires_at_ms } => (Some(expires_at_ms), None),
            Extended::Expired => (None, Some("expired")),
            Extended::HeldByAnother => (None, Some("held-by-another")),
        };
        Self { extended: reason.is_none(), expires_at, reason }
    }
}

/// What everybody may know of a resource: never the token.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    key: String,
    held: bool,
    /// Milliseconds; null for a lock without end, which this service does not make.
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<Option<u64>>,
    fencing_token: Option<u64>,
}

impl State {
    /// What is known of `resource`.
    pub fn new(resource: &Resource, seen: &Inspected) -> Self {
        let ttl = seen.held.map(|held| held.ttl_ms);
        Self { key: resource.key(), held: ttl.is_some(), ttl, fencing_token: seen.fencing }
    }
}

/// An element of the list of locks that are held.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldLock {
    key: String,
    resource: String,
    ttl: Option<u64>,
    fencing_token: Option<u64>,
}

impl HeldLock {
    /// What is known of `resource`.
    pub fn new(resource: &Resource, seen: &Inspected) -> Self {
        let ttl = seen.held.and_then(|held| held.ttl_ms);
        Self { key: resource.key(), resource: resource.name().to_owned(), ttl, fencing_token: seen.fencing }
    }
}

/// A page of the list.
#[derive(Serialize)]
pub struct Page {
    /// Its elements.
    pub locks: Vec<HeldLock>,
    /// What to ask for the next page with.
    pub next: Option<String>,
}

/// The answer to an administrator who breaks a lock.
#[derive(Serialize)]
pub struct Broken {
    /// Whether there was one.
    pub broken: bool,
}

/// 200 with `body`.
pub fn ok(body: &impl Serialize) -> Response {
    json(StatusCode::OK, serde_json::to_vec(body).expect("strings, numbers and booleans always serialize"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use token_lock::Held;

    fn value(body: impl Serialize) -> Value {
        serde_json::to_value(body).unwrap()
    }

    #[test]
    fn what_became_of_a_release() {
        assert_eq!(value(Release::from(Released::Removed)), json!({"released": true}));
        assert_eq!(value(Release::from(Released::Expired)), json!({"released": true, "expired": true}));
        assert_eq!(value(Release::from(Released::HeldByAnother)), json!({"released": false}));
    }

    #[test]
    fn what_became_of_an_extension() {
        let until = Extended::Until { expires_at_ms: 7 };
        assert_eq!(value(Extension::from(until)), json!({"extended": true, "expiresAt": 7}));
        assert_eq!(value(Extension::from(Extended::Expired)), json!({"extended": false, "reason": "expired"}));
        let another = json!({"extended": false, "reason": "held-by-another"});
        assert_eq!(value(Extension::from(Extended::HeldByAnother)), another);
    }

    #[test]
    fn a_free_resource_has_no_ttl_and_one_that_never_ends_has_null() {
        let resource = Resource::new("a").unwrap();
        let state = |held, fencing| value(State::new(&resource, &Inspected { held, fencing }));
        assert_eq!(state(None, None), json!({"key": "locks:a", "held": false, "fencingToken": null}));
        let held = |ttl_ms| Some(Held { ttl_ms });
        assert_eq!(state(held(Some(9)), Some(3)), json!({"key": "locks:a", "held": true, "ttl": 9, "fencingToken": 3}));
        assert_eq!(state(held(None), None)["ttl"], Value::Null);
        assert!(state(held(None), None).as_object().unwrap().contains_key("ttl"));
    }
}
