//! Requests that no other client of the soak sends: health, metrics, events, statistics, rate limits, bad input; and
//! clients that disconnect before the response arrives.

use std::sync::Arc;
use std::time::Duration;

use blackbox::{Api, Request};
use fastrand::Rng;
use serde_json::json;

use crate::progress::Progress;

const PAUSE_MS: u64 = 40;
/// While a server is down, any request may be answered with these.
const OUTAGE: [u16; 3] = [502, 503, 504];

/// Sends such requests until the minute ends. Returns what no client should get.
pub async fn visit(apis: [Api; 2], progress: Arc<Progress>, mut rng: Rng) -> Vec<String> {
    let mut failures = Vec::new();
    while progress.goes_on() {
        tokio::time::sleep(Duration::from_millis(rng.u64(..PAUSE_MS))).await;
        let host = rng.usize(..2);
        let (request, expected) = request(&apis[host], &mut rng);
        if rng.u8(..4) == 0 {
            leave(&apis[host], &mut rng).await;
        }
        match request.send().await {
            Ok(response) if response.status() == expected || OUTAGE.contains(&response.status()) => {}
            Ok(response) => failures.push(format!("{response:?}, not {expected}")),
            // The first host may be down.
            Err(error) if host == 1 => failures.push(format!("no response: {error:?}")),
            Err(_) => {}
        }
    }
    failures
}

/// A request, and the status that it has while all servers run.
fn request(api: &Api, rng: &mut Rng) -> (Request, u16) {
    let number = rng.u32(..1_000);
    match rng.u8(..14) {
        0 => (api.get("/health"), 200),
        1 => (api.admin().get("/metrics"), 200),
        2 => (api.admin().get("/admin/cache/stats"), 200),
        3 => (api.admin().get("/admin/cache/entries?module=kv"), 200),
        4 => (api.admin().get("/admin/locks"), 200),
        5 => (api.post("/api/ratelimit/check").json(json!({"key": "soak", "limit": 10, "window": 1_000})), 200),
        6 => (api.post("/api/publish/soak").json(json!({"number": number})), 202),
        7 => (api.post("/api/cache/mset").json(json!({"entries": {format!("m{number}"): "x".repeat(10_000)}})), 200),
        8 => (api.post("/api/cache/mget").json(json!({"keys": [format!("m{number}"), "m1"]})), 200),
        9 => (api.get(format!("/api/cache/m{number}")), 200),
        10 => (api.get("/users?limit=1000"), 200),
        // Bad input.
        11 => (api.post("/users").json_text("{\"name\":"), 400),
        12 => (api.get("/users/0?x=%"), 400),
        _ => (api.delete("/users/999999999"), 404),
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
