//! POST /api/ratelimit/check: quotas for other programs.

use blackbox::{Api, App, Response, until};
use serde_json::{Value, json};

use super::{far_from_midnight, limited, remaining};

const DAY_MS: u64 = 86_400_000;

async fn send(api: &Api, body: Value) -> Response {
    api.post("/api/ratelimit/check").json(body).await
}

/// Whether the request may pass, and what is left.
async fn check(api: &Api, body: Value) -> (bool, u64) {
    let response = send(api, body).await;
    assert_eq!(response.header("cache-control"), "no-store");
    let json = response.expect_ok();
    let members: Vec<_> = json.as_object().unwrap().keys().collect();
    assert_eq!(members, ["allowed", "remaining", "resetMs"]);
    // A refused client may have to wait for some of the next window.
    assert!(json["resetMs"].as_u64().is_some_and(|ms| (1..=2 * DAY_MS).contains(&ms)), "{json}");
    (json["allowed"].as_bool().unwrap(), json["remaining"].as_u64().unwrap())
}

fn body(key: &str, limit: u64) -> Value {
    json!({"key": key, "limit": limit, "window": DAY_MS})
}

#[tokio::test]
async fn a_key_has_a_quota() {
    far_from_midnight().await;
    let app = App::spawn().await;
    for left in (0..3).rev() {
        assert_eq!(check(&app, body("orders", 3)).await, (true, left));
    }
    for _ in 0..3 {
        assert_eq!(check(&app, body("orders", 3)).await, (false, 0));
    }
    for other in ["orders2", "order", "orders:", "Orders", "orders*", "ordérs", "orders\n", " orders", &"x".repeat(256)]
    {
        assert_eq!(check(&app, body(other, 3)).await, (true, 2), "{other:?}");
    }
}

#[tokio::test]
async fn a_request_may_cost_more() {
    far_from_midnight().await;
    let app = App::spawn().await;
    let cost = |cost: u64| json!({"key": "k", "limit": 10, "window": DAY_MS, "cost": cost});
    assert_eq!(check(&app, cost(4)).await, (true, 6));
    assert_eq!(check(&app, cost(4)).await, (true, 2));
    let (allowed, _) = check(&app, cost(4)).await;
    assert!(!allowed);
    // The refused one has used nothing. It may be subtracted after its response.
    until("two are left", async || {
        let (allowed, left) = check(&app, cost(2)).await;
        assert!(!allowed || left == 0, "{left}");
        allowed
    })
    .await;
    assert!(!check(&app, cost(1)).await.0);
    assert_eq!(check(&app, json!({"key": "all", "limit": 10, "window": DAY_MS, "cost": 10})).await, (true, 0));
}

#[tokio::test]
async fn the_quota_comes_back() {
    let app = App::spawn().await;
    let body = json!({"key": "k", "limit": 2, "window": 1_000});
    for _ in 0..3 {
        let mut reset_ms = 0;
        until("the quota is used up", async || {
            let json = send(&app, body.clone()).await.expect_ok();
            reset_ms = json["resetMs"].as_u64().unwrap();
            json["allowed"] == false
        })
        .await;
        assert!((1..=2_000).contains(&reset_ms), "{reset_ms}");
        tokio::time::sleep(std::time::Duration::from_millis(reset_ms)).await;
        assert_eq!(send(&app, body.clone()).await.expect_ok()["allowed"], true, "after {reset_ms} ms");
    }
}

#[tokio::test]
async fn the_largest_and_smallest_values_are_accepted() {
    far_from_midnight().await;
    let app = App::spawn().await;
    assert_eq!(check(&app, json!({"key": "a", "limit": 1_000_000, "window": DAY_MS})).await, (true, 999_999));
    let cost = json!({"key": "b", "limit": 1_000_000, "window": DAY_MS, "cost": 1_000_000});
    assert_eq!(check(&app, cost).await, (true, 0));
    assert_eq!(check(&app, json!({"key": "c", "limit": 1, "window": 1_000, "cost": 1})).await, (true, 0));
    // Whole numbers, however they are written.
    let exponents: Value = serde_json::from_str(r#"{"key":"d","limit":1e1,"window":86400000.0,"cost":4.0}"#).unwrap();
    assert_eq!(check(&app, exponents).await, (true, 6));
}

#[tokio::test]
async fn quotas_of_keys_and_of_clients_are_separate() {
    let app = limited(50).await;
    assert_eq!(remaining(&app.get("/users").await, "default"), 49);
    for key in ["ip:127.0.0.1", "default:ip:127.0.0.1"] {
        let response = send(&app, body(key, 10)).await;
        assert_eq!(response.expect_ok()["remaining"], 9, "{key}");
    }
    // The checks were requests, too.
    assert_eq!(remaining(&app.get("/users").await, "default"), 46);
}

#[tokio::test]
async fn two_hosts_share_the_quotas() {
    far_from_midnight().await;
    let app = App::spawn().await;
    let (_host, other) = app.second_host().await;
    assert_eq!(check(&app, body("k", 3)).await, (true, 2));
    assert_eq!(check(&other, body("k", 3)).await, (true, 1));
    assert_eq!(check(&app, body("k", 3)).await, (true, 0));
    assert_eq!(check(&other, body("k", 3)).await, (false, 0));
}

#[tokio::test]
async fn windows_of_different_lengths_have_different_counters() {
    far_from_midnight().await;
    let app = App::spawn().await;
    for window in [DAY_MS, DAY_MS - 1_000, DAY_MS / 2] {
        assert_eq!(check(&app, json!({"key": "k", "limit": 5, "window": window})).await, (true, 4), "{window}");
    }
    assert_eq!(check(&app, json!({"key": "k", "limit": 5, "window": DAY_MS})).await, (true, 3));
}
