//! Events of the cache and of locks.

use blackbox::App;
use serde_json::json;

use super::{expect_cloud_event, expect_events, recorded};

#[tokio::test]
async fn each_change_of_the_cache_is_an_event() {
    let app = App::spawn().await;
    app.put("/api/cache/a").json(json!("planted")).await.expect_success();
    app.post("/api/cache/mset").json(json!({"entries": {"b": "planted", "c": 1}})).await.expect_ok();
    app.delete("/api/cache/a").await.expect_success();
    app.post("/api/cache/invalidate").json(json!({"key": "b"})).await.expect_ok();
    app.post("/api/cache/invalidate").json(json!({"pattern": "c*"})).await.expect_ok();
    app.admin().delete("/admin/cache/module/kv").await.expect_ok();
    app.admin().delete("/admin/cache/operation/kv/get").await.expect_ok();
    app.admin().delete("/admin/cache/user/42").await.expect_ok();
    app.admin().delete("/admin/cache").await.expect_ok();
    let subjects = [
        ("tumbler.cache.set", "kv/a"),
        ("tumbler.cache.set", "kv"),
        ("tumbler.cache.deleted", "kv/a"),
        ("tumbler.cache.invalidated", "kv/b"),
        ("tumbler.cache.invalidated", "kv"),
        ("tumbler.cache.invalidated", "kv"),
        ("tumbler.cache.invalidated", "kv/get"),
        ("tumbler.cache.invalidated", "users/42"),
        ("tumbler.cache.cleared", "cache"),
    ];
    let events = expect_events(&app, &subjects.map(|(kind, subject)| (kind, subject.to_owned()))).await;
    for event in &events {
        expect_cloud_event(event, "/cache");
        assert!(event["version"].is_null(), "no row, no version: {event}");
    }
    let text = json!(recorded(&app).await).to_string();
    assert!(!text.contains("planted"), "{text}");
}

#[tokio::test]
async fn reads_fills_and_refused_changes_of_the_cache_are_no_events() {
    let app = App::spawn().await;
    app.get("/api/cache/a").await.expect_ok();
    app.get("/api/cache/a").await.expect_ok();
    app.post("/api/cache/mget").json(json!({"keys": ["a", "b"]})).await.expect_ok();
    app.post("/api/cache/warm").json(json!({"keys": ["w"]})).await.expect_ok();
    app.put("/api/cache/b").json_text("{").await.expect_problem(400, "malformed-json");
    app.put("/api/cache/b?ttl=0").json(json!(1)).await.expect_problem(400, "invalid-parameter");
    app.post("/api/cache/invalidate").json(json!({})).await.expect_problem(422, "validation");
    app.delete("/admin/cache").await.expect_problem(401, "unauthorized");
    // Nothing was there.
    app.delete("/api/cache/never").await;
    expect_events(&app, &[]).await;
}

#[tokio::test]
async fn a_broken_lock_is_an_event() {
    let app = App::spawn().await;
    app.given_lock("orders/7 ä", 60_000).await;
    let released = app.given_lock("released", 60_000).await;
    app.release(&released).await.expect_ok();
    let path = "/admin/locks/orders%2F7%20%C3%A4";
    assert_eq!(app.admin().delete(path).await.expect_ok()["broken"], true);
    assert_eq!(app.admin().delete(path).await.expect_ok()["broken"], false);
    let events = expect_events(&app, &[("tumbler.lock.broken", "locks/orders/7 ä".to_owned())]).await;
    expect_cloud_event(&events[0], "/locks");
}

#[tokio::test]
async fn a_change_of_a_broken_redis_is_no_event() {
    let mut app = App::spawn().await;
    app.redis.kill().await.unwrap();
    assert_eq!(app.put("/api/cache/a").json(json!(1)).await.status(), 503);
    app.redis.restart().await.unwrap();
    blackbox::until("the cache works again", async || app.put("/api/cache/b").json(json!(1)).await.status() < 400)
        .await;
    expect_events(&app, &[("tumbler.cache.set", "kv/b".to_owned())]).await;
}
