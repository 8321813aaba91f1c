//! Successful responses, as JSON.

use serde::Serialize;
use token_lock::{Extended, Grant, Inspected, Released, Resource};

/// The response to acquire.
#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum AcquireResponse {
    /// One lock, if the body has one resource.
    Lock {
        /// Always true.
        acquired: bool,
        /// The lock.
        lock: GrantedLock,
    },
    /// One lock for each resource, in the order of the body.
    Locks {
        /// Always true.
        acquired: bool,
        /// The locks.
        locks: Vec<GrantedLock>,
    },
    /// No lock, because another client holds one of the resources.
    Taken {
        /// Always false.
        acquired: bool,
        /// Milliseconds until the lock of the other client ends, unless it is released or extended.
        retry_after: u64,
    },
}

/// A lock, for its holder.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GrantedLock {
    key: String,
    token: String,
    fencing_token: u64,
    ttl: u64,
    expires_at: u64,
}

impl From<&Grant> for GrantedLock {
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

/// The response to release.
#[derive(Serialize)]
pub struct ReleaseResponse {
    released: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    expired: bool,
}

impl From<Released> for ReleaseResponse {
    fn from(released: Released) -> Self {
        Self { released: released != Released::HeldByAnother, expired: released == Released::Expired }
    }
}

/// The response to extend.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtendResponse {
    extended: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

impl From<Extended> for ExtendResponse {
    fn from(extended: Extended) -> Self {
        let (expires_at, reason) = match extended {
            Extended::Until { expires_at_ms } => (Some(expires_at_ms), None),
            Extended::Expired => (None, Some("expired")),
            Extended::HeldByAnother => (None, Some("held-by-another")),
        };
        Self { extended: reason.is_none(), expires_at, reason }
    }
}

/// What every client may know about a resource: everything but the token.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LockState {
    key: String,
    held: bool,
    /// Milliseconds. Absent if the resource is free; null if the key has no TTL, which this service never writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<Option<u64>>,
    fencing_token: Option<u64>,
}

impl LockState {
    /// The state of `resource`.
    pub fn new(resource: &Resource, inspected: &Inspected) -> Self {
        let ttl = inspected.held.map(|held| held.ttl_ms);
        Self { key: resource.key(), held: ttl.is_some(), ttl, fencing_token: inspected.fencing }
    }
}

/// An element of the list of locks.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldLock {
    key: String,
    resource: String,
    ttl: Option<u64>,
    fencing_token: Option<u64>,
}

impl HeldLock {
    /// The lock on `resource`.
    pub fn new(resource: &Resource, inspected: &Inspected) -> Self {
        let ttl = inspected.held.and_then(|held| held.ttl_ms);
        Self { key: resource.key(), resource: resource.name().to_owned(), ttl, fencing_token: inspected.fencing }
    }
}

/// A page of the list.
#[derive(Serialize)]
pub struct LockPage {
    /// The locks.
    pub locks: Vec<HeldLock>,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
    /// What may lose locks, as text for administrators.
    pub warnings: Vec<String>,
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
    fn release_says_whether_the_lock_had_expired() {
        assert_eq!(value(ReleaseResponse::from(Released::Removed)), json!({"released": true}));
        assert_eq!(value(ReleaseResponse::from(Released::Expired)), json!({"released": true, "expired": true}));
        assert_eq!(value(ReleaseResponse::from(Released::HeldByAnother)), json!({"released": false}));
    }

    #[test]
    fn extend_says_when_the_lock_ends_or_why_not() {
        let until = Extended::Until { expires_at_ms: 7 };
        assert_eq!(value(ExtendResponse::from(until)), json!({"extended": true, "expiresAt": 7}));
        assert_eq!(value(ExtendResponse::from(Extended::Expired)), json!({"extended": false, "reason": "expired"}));
        let another = json!({"extended": false, "reason": "held-by-another"});
        assert_eq!(value(ExtendResponse::from(Extended::HeldByAnother)), another);
    }

    #[test]
    fn a_free_resource_has_no_ttl_and_a_key_without_ttl_has_null() {
        let resource = Resource::new("a").unwrap();
        let state = |held, fencing| value(LockState::new(&resource, &Inspected { held, fencing }));
        assert_eq!(state(None, None), json!({"key": "locks:a", "held": false, "fencingToken": null}));
        let held = |ttl_ms| Some(Held { ttl_ms });
        assert_eq!(state(held(Some(9)), Some(3)), json!({"key": "locks:a", "held": true, "ttl": 9, "fencingToken": 3}));
        assert_eq!(state(held(None), None)["ttl"], Value::Null);
        assert!(state(held(None), None).as_object().unwrap().contains_key("ttl"));
    }
}
