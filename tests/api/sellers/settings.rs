//! The variables of the sellers component, valid and invalid.

use std::time::{Duration, Instant};

use blackbox::{App, until};
use serde_json::json;

#[tokio::test]
async fn the_cache_can_be_turned_off() {
    let app = App::builder().variable("cache_enabled", "false").spawn().await;
    let seller = app.given_seller("ada").await;
    for path in [seller.path(""), "/sellers/me".to_owned(), seller.path("/analytics/overview")] {
        for _ in 0..2 {
            let response = seller.owner.get(&path).await;
            assert_eq!(response.header("cache-status"), "tumbler; fwd=bypass; detail=disabled", "{path}");
        }
    }
    let entries: Vec<String> = app.redis.keys().await.into_iter().filter(|key| key.contains(":cache:")).collect();
    assert!(entries.is_empty(), "{entries:?}");
}

#[tokio::test]
async fn sellers_live_as_long_as_their_ttl() {
    let app = App::builder().variable("cache_ttl_seller", "1").spawn().await;
    let seller = app.given_seller("ada").await;
    for path in [seller.path(""), "/sellers/me".to_owned()] {
        // On a busy machine, the entry may expire before the next request.
        until("the entry is a hit", async || seller.owner.get(&path).await.is_hit()).await;
        let start = Instant::now();
        until("the entry expires", async || !seller.owner.get(&path).await.is_hit()).await;
        // A TTL of one second with 10 % jitter. The default TTL is 300 s.
        assert!(start.elapsed() < Duration::from_secs(20), "{path} lived for {:?}", start.elapsed());
    }
}

#[tokio::test]
async fn an_invalid_value_is_logged_and_every_request_fails() {
    let table = [
        ("cache_ttl_seller", "5m", "seconds"),
        ("user_service_timeout_ms", "0", "milliseconds"),
        ("user_service_timeout_ms", "soon", "milliseconds"),
        ("user_service_url", "not a url", "URL"),
        ("jwt_secret", "too short", "32 bytes"),
    ];
    for (name, value, expected) in table {
        let app = App::builder().variable(name, value).spawn().await;
        let client = app.with_jwt(1, &["admin"]);
        for request in [client.get("/sellers/1"), client.post("/sellers").json(json!({"businessName": "Al"}))] {
            let response = request.await;
            response.expect_problem(500, "internal");
            assert!(!response.text().contains(name), "{response:?}");
        }
        let log = app.host.output();
        assert!(log.contains(name) && log.contains(expected), "{name}: {log}");
    }
}
