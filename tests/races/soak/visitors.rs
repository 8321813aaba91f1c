//! Requests that no other client of the soak sends: health, metrics, events, statistics, rate limits, bad input; and
//! clients that disconnect before the response arrives.

use std::sync::Arc;
use std::time::Duration;

use blackbox::{Api, Request};
use fastrand::Rng;
use serde_json::json;

use crate::progress::Progress;

const PAUSE_MS: u64 = 40;
/// What such a request may be answered with: success, bad input, a refusal, an outage.
const ALLOWED: [u16; 12] = [200, 400, 401, 404, 409, 412, 413, 415, 422, 502, 503, 504];

/// Sends such requests until the minute ends. Returns what no client should get.
pub async fn visit(apis: [Api; 2], progress: Arc<Progress>, mut rng: Rng) -> Vec<String> {
    let mut failures = Vec::new();
    while progress.goes_on() {
        tokio::time::sleep(Duration::from_millis(rng.u64(..PAUSE_MS))).await;
        let host = rng.usize(..2);
        let request = request(&apis[host], &mut rng);
        if rng.u8(..4) == 0 {
            leave(&apis[host], &mut rng).await;
        }
        match request.send().await {
            Ok(response) if ALLOWED.contains(&response.status()) => {}
            Ok(response) => failures.push(format!("{response:?}")),
            // The first host may be down.
            Err(error) if host == 1 => failures.push(format!("no response: {error:?}")),
            Err(_) => {}
        }
    }
    failures
}

fn request(api: &Api, rng: &mut Rng) -> Request {
    let number = rng.u32(..1_000);
    match rng.u8(..14) {
        0 => api.get("/health"),
        1 => api.admin().get("/metrics"),
        2 => api.admin().get("/admin/cache/stats"),
        3 => api.admin().get("/admin/cache/entries?module=kv"),
        4 => api.admin().get("/admin/locks"),
        5 => api.post("/api/ratelimit/check").json(json!({"key": "soak", "limit": 10, "window": 1_000})),
        6 => api.post("/api/publish").json(json!({"channel": "soak", "message": {"number": number}})),
        7 => api.post("/api/cache/mset").json(json!({"entries": {format!("m{number}"): "x".repeat(10_000)}})),
        8 => api.post("/api/cache/mget").json(json!({"keys": [format!("m{number}"), "m1"]})),
        9 => api.get(format!("/api/cache/m{number}")),
        10 => api.get("/users?limit=1000"),
        // Bad input.
        11 => api.post("/users").json_text("{\"name\":"),
        12 => api.get("/users/0?x=%"),
        _ => api.delete("/users/999999999"),
    }
}

/// Sends a request and disconnects after a moment.
async fn leave(api: &Api, rng: &mut Rng) {
    let request = match rng.u8(..4) {
        0 => api.get("/users?limit=1000"),
        1 => api.post("/api/cache/lock/acquire").json(json!({"resource": "counter2", "ttl": 100, "wait": 5_000})),
        2 => api.get("/api/events"),
        _ => api.get("/sellers?limit=100"),
    };
    let patience = Duration::from_millis(rng.u64(..30));
    tokio::time::timeout(patience, request.send()).await.ok();
}
