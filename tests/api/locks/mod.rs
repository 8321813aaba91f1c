//! /api/cache/lock and /admin/locks: one file for each route, and one for each topic of several routes.

mod access;
mod acquire;
mod admin;
mod commands;
mod crowd;
mod extend;
mod outages;
mod quorum;
mod release;
mod several;
mod show;
mod validation;
mod waiting;

use std::time::{SystemTime, UNIX_EPOCH};

use blackbox::{Api, Grant};
use serde_json::{Value, json};

/// A token of the right form that no lock has.
const FOREIGN_TOKEN: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// Unix time in milliseconds, as in `expiresAt`.
fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

/// POST /api/cache/lock/acquire, which decides whether the lock is granted.
async fn acquire(api: &Api, body: Value) -> Value {
    api.post("/api/cache/lock/acquire").json(body).await.expect_ok()
}

/// The grant in the response to a request for one lock.
fn granted(json: &Value) -> Grant {
    assert_eq!(json["acquired"], true, "{json}");
    Grant::from_json(&json["lock"]).unwrap_or_else(|| panic!("{json}"))
}

/// POST /api/cache/lock/release, whatever its result.
async fn release(api: &Api, grant: &Grant) -> Value {
    api.release(grant).await.expect_ok()
}

/// Releases a lock that is still held.
async fn release_held(api: &Api, grant: &Grant) {
    assert_eq!(release(api, grant).await, json!({"released": true}));
}

/// POST /api/cache/lock/extend, whatever its result.
async fn extend(api: &Api, grant: &Grant, ttl_ms: u64) -> Value {
    api.extend(grant, ttl_ms).await.expect_ok()
}

/// GET /api/cache/lock/:resource, with the resource as it stands in the path.
async fn show(api: &Api, resource: &str) -> Value {
    api.get(format!("/api/cache/lock/{resource}")).await.expect_ok()
}
