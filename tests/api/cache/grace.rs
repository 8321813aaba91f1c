//! Grace: while the origin fails or is slow, keys whose TTL has ended are returned, unless they were invalidated.

use blackbox::{App, Origin, Reply, until};
use serde_json::json;

use super::stats;

const PATH: &str = "/api/cache/a?ttl=1";

async fn with_grace(origin: &Origin, soft_timeout_ms: &str) -> App {
    let app = App::builder().origin(origin).variable("cache_grace_s", "3600");
    app.variable("cache_soft_timeout_ms", soft_timeout_ms).spawn().await
}

#[tokio::test]
async fn keys_whose_ttl_has_ended_are_returned_while_the_origin_fails() {
    let origin = Origin::start().await;
    let app = with_grace(&origin, "0").await;
    origin.reply("/a", Reply::json("1"));
    assert_eq!(app.get(PATH).await.expect_ok()["value"], 1);
    for failure in [Reply::status(503), Reply::Closed, Reply::Broken] {
        origin.reply("/a", failure);
        until("the TTL has ended", async || app.get(PATH).await.is_graced()).await;
        assert_eq!(app.get(PATH).await.expect_ok()["value"], 1);
    }
    assert!(stats(&app).await["totals"]["graced"].as_u64() > Some(0));
    origin.reply("/a", Reply::json("2"));
    assert_eq!(app.get(PATH).await.expect_ok()["value"], 2, "the origin is asked first");
}

#[tokio::test]
async fn what_was_invalidated_or_set_during_the_outage_is_not_returned() {
    let origin = Origin::start().await;
    let app = with_grace(&origin, "0").await;
    for invalidate in ["DELETE /api/cache/a", "DELETE /admin/cache/module/kv", "PUT /api/cache/a"] {
        origin.reply("/a", Reply::json("1"));
        app.delete("/api/cache/a").await;
        assert_eq!(app.get(PATH).await.expect_ok()["value"], 1);
        origin.reply("/a", Reply::status(503));
        until("the TTL has ended", async || app.get(PATH).await.is_graced()).await;
        let (method, path) = invalidate.split_once(' ').unwrap();
        if method == "PUT" {
            app.put(path).json(json!(9)).await.expect_success();
            assert_eq!(app.get(PATH).await.expect_ok()["value"], 9);
        } else {
            app.admin().delete(path).await.expect_success();
            app.get(PATH).await.expect_problem(502, "bad-gateway");
        }
    }
}

#[tokio::test]
async fn what_a_client_has_set_has_no_grace() {
    let origin = Origin::start().await;
    let app = with_grace(&origin, "0").await;
    origin.reply("/a", Reply::status(503));
    app.put(PATH).json(json!(9)).await.expect_success();
    until("the TTL has ended", async || app.get(PATH).await.status() == 502).await;
}

#[tokio::test]
async fn a_slow_fetch_goes_on_after_the_response() {
    let origin = Origin::start().await;
    let app = with_grace(&origin, "50").await;
    origin.reply("/a", Reply::json("1"));
    assert_eq!(app.get(PATH).await.expect_ok()["value"], 1);
    origin.reply("/a", Reply::json("2"));
    origin.hold();
    until("the TTL has ended", async || app.get(PATH).await.is_graced()).await;
    assert_eq!(app.get(PATH).await.expect_ok()["value"], 1);
    let requests = origin.count();
    // The request for the new value waits at the origin. Nobody asks for the key until it is stored.
    origin.release();
    until("the fetch is stored", async || {
        let value: Vec<u8> = app.redis.ask(&["GET", "cache:entry:kv:get:a"]).await;
        value.ends_with(b"\n2")
    })
    .await;
    assert_eq!(origin.count(), requests);
}
