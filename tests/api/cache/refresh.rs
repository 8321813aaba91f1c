//! Refresh-ahead: a hit near the end of an entry fetches it again, after the response.

use std::time::Duration;

use blackbox::{App, Origin, Reply, until};
use serde_json::json;

use super::stats;

/// The origin takes a while, so about three of four hits refresh their entry, long before it ends.
async fn refreshing(origin: &Origin) -> App {
    origin.delay(Duration::from_millis(200));
    App::builder().origin(origin).variable("cache_refresh_ahead", "1000").spawn().await
}

#[tokio::test]
async fn a_hot_key_gets_a_new_value_and_never_misses() {
    let origin = Origin::start().await;
    let app = refreshing(&origin).await;
    origin.reply("/a", Reply::json("1"));
    let path = "/api/cache/a?ttl=60";
    assert_eq!(app.get(path).await.expect_ok()["value"], 1);
    origin.reply("/a", Reply::json("2"));
    until("it is refreshed", async || {
        let response = app.get(path).await;
        assert!(response.is_hit(), "{response:?}");
        response.expect_ok()["value"] == 2
    })
    .await;
    assert!(stats(&app).await["totals"]["refreshed"].as_u64() > Some(0));
}

#[tokio::test]
async fn what_a_client_has_set_is_not_refreshed() {
    let origin = Origin::start().await;
    let app = refreshing(&origin).await;
    origin.reply("/a", Reply::json("1"));
    let path = "/api/cache/a?ttl=60";
    app.get(path).await.expect_ok();
    // A refresh may be under way.
    app.get(path).await.expect_ok();
    app.put(path).json(json!(9)).await.expect_success();
    until("the refresh has ended", async || {
        let leases = app.redis.keys().await;
        !leases.iter().any(|key| key.starts_with("filling:"))
    })
    .await;
    let asked = origin.count();
    for _ in 0..50 {
        assert_eq!(app.get(path).await.expect_ok()["value"], 9);
    }
    assert_eq!(origin.count(), asked);
}
