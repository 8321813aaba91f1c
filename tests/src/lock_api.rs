//! One method for each endpoint of the locks service.

use std::path::Path;

use dev_servers::RedisServer;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::{ADMIN_TOKEN, Api, Builder};

/// Three Redis servers of their own, with their data in `folder`.
pub async fn lock_servers(folder: &Path) -> Vec<RedisServer> {
    let mut servers = Vec::new();
    for number in 0..3 {
        let started = RedisServer::start(&folder.join(number.to_string())).await;
        servers.push(started.unwrap_or_else(|error| panic!("{error}")));
    }
    servers
}

impl Builder {
    /// Puts the locks on these servers.
    pub fn locks_on(self, servers: &[RedisServer]) -> Self {
        let urls: Vec<_> = servers.iter().map(RedisServer::url).collect();
        self.variable("lock_redis_urls", &urls.join(",")).variable("lock_egress", "redis://127.0.0.1:*")
    }

    /// Gives locks more time than a machine that is busy with other tests may take from them.
    pub fn patient_locks(self) -> Self {
        self.variable("lock_timeout_ms", "5000")
    }
}

impl Api {
    /// POST /api/cache/lock/acquire.
    pub async fn acquire_lock(&self, body: &Value) -> Response {
        self.post_lock("acquire", body).await
    }

    /// POST /api/cache/lock/release.
    pub async fn release_lock(&self, key: &str, token: &str) -> Response {
        self.post_lock("release", &json!({"key": key, "token": token})).await
    }

    /// POST /api/cache/lock/extend.
    pub async fn extend_lock(&self, key: &str, token: &str, ttl_ms: u64) -> Response {
        self.post_lock("extend", &json!({"key": key, "token": token, "ttl": ttl_ms})).await
    }

    /// GET /api/cache/lock/:resource, with the resource as it stands in the path.
    pub async fn show_lock(&self, resource: &str) -> Response {
        self.get(&format!("/api/cache/lock/{resource}")).await
    }

    /// GET /admin/locks with a query such as `?limit=2`, or an empty string, and the admin token.
    pub async fn list_locks(&self, query: &str) -> Response {
        let request = self.request(Method::GET, &format!("/admin/locks{query}")).bearer_auth(ADMIN_TOKEN);
        request.send().await.unwrap_or_else(|error| panic!("no answer: {error:?}"))
    }

    /// DELETE /admin/locks/:resource, with the resource as it stands in the path and the admin token.
    pub async fn break_lock(&self, resource: &str) -> Response {
        let request = self.request(Method::DELETE, &format!("/admin/locks/{resource}")).bearer_auth(ADMIN_TOKEN);
        request.send().await.unwrap_or_else(|error| panic!("no answer: {error:?}"))
    }

    /// Acquires a free resource. Panics if it cannot.
    pub async fn given_lock(&self, resource: &str, ttl_ms: u64) -> Grant {
        let answer = self.acquire_lock(&json!({"resource": resource, "ttl": ttl_ms})).await;
        let status = answer.status();
        let text = answer.text().await.expect("the answer has a body");
        let grant = serde_json::from_str(&text).ok().and_then(|json: Value| Grant::from_json(&json["lock"]));
        grant
            .filter(|_| status == 200)
            .unwrap_or_else(|| panic!("POST /api/cache/lock/acquire answered {status}: {text}"))
    }

    async fn post_lock(&self, action: &str, body: &Value) -> Response {
        let request = self.request(Method::POST, &format!("/api/cache/lock/{action}")).json(body);
        request.send().await.unwrap_or_else(|error| panic!("no answer: {error:?}"))
    }
}

/// A lock as the service grants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// `locks:<resource>`.
    pub key: String,
    /// What proves the ownership.
    pub token: String,
    /// Greater than that of every earlier grant.
    pub fencing_token: u64,
    /// Milliseconds.
    pub ttl: u64,
    /// Unix time in milliseconds.
    pub expires_at: u64,
}

impl Grant {
    /// Reads an element of an answer; `None` if a member is missing or of another type.
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
