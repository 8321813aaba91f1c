//! Locks that a test needs, and servers for the quorum mode.

use std::path::Path;

use serde_json::{Value, json};

use crate::{Api, Builder, Redis, Request};

/// Starts three Redis servers that only the locks use, with their data in `folder`.
pub async fn lock_servers(folder: &Path) -> Vec<Redis> {
    let mut servers = Vec::new();
    for number in 0..3 {
        servers.push(Redis::start(&folder.join(number.to_string())).await);
    }
    servers
}

impl Builder {
    /// Puts the locks on these servers.
    pub fn locks_on(self, servers: &[Redis]) -> Self {
        let urls: Vec<_> = servers.iter().map(|server| server.url()).collect();
        self.variable("lock_redis_urls", &urls.join(",")).variable("lock_egress", "redis://127.0.0.1:*")
    }
}

impl Api {
    /// Acquires a free resource. Panics if it is not granted.
    pub async fn given_lock(&self, resource: &str, ttl_ms: u64) -> Grant {
        let response = self.post("/api/cache/lock/acquire").json(json!({"resource": resource, "ttl": ttl_ms})).await;
        let grant = Grant::from_json(&response.expect_ok()["lock"]);
        grant.unwrap_or_else(|| panic!("{resource} is not granted: {response:?}"))
    }

    /// POST /api/cache/lock/release with the key and the token of this grant.
    pub fn release(&self, grant: &Grant) -> Request {
        self.post("/api/cache/lock/release").json(json!({"key": grant.key, "token": grant.token}))
    }

    /// POST /api/cache/lock/extend with the key and the token of this grant.
    pub fn extend(&self, grant: &Grant, ttl_ms: u64) -> Request {
        let body = json!({"key": grant.key, "token": grant.token, "ttl": ttl_ms});
        self.post("/api/cache/lock/extend").json(body)
    }
}

/// A lock as the service grants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// `locks:<resource>`.
    pub key: String,
    /// Proves the ownership.
    pub token: String,
    /// Greater than that of every earlier grant.
    pub fencing_token: u64,
    /// Milliseconds.
    pub ttl: u64,
    /// Unix time in milliseconds.
    pub expires_at: u64,
}

impl Grant {
    /// Reads the `lock` of a response; `None` if a member is missing or has another type.
    pub fn from_json(lock: &Value) -> Option<Self> {
        Some(Self {
            key: lock["key"].as_str()?.to_owned(),
            token: lock["token"].as_str()?.to_owned(),
            fencing_token: lock["fencingToken"].as_u64()?,
            ttl: lock["ttl"].as_u64()?,
            expires_at: lock["expiresAt"].as_u64()?,
        })
    }
}
