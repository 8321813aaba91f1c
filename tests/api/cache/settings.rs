//! The variables of the cache component, valid and invalid.

use std::time::Duration;

use blackbox::{App, Origin, entry_path, within};
use serde_json::json;

#[tokio::test]
async fn the_default_ttl_can_be_set() {
    let app = App::builder().variable("cache_ttl_kv_get", "1000").spawn().await;
    let miss = app.get("/api/cache/a").await;
    assert!((990..=1000).contains(&miss.ttl()), "{miss:?}");
    assert_eq!(app.put("/api/cache/b").json(json!(1)).await.expect_ok()["ttl"], 1000);
    app.post("/api/cache/mset").json(json!({"entries": {"c": 1}})).await;
    app.post("/api/cache/warm").json(json!({"keys": ["d"]})).await;
    for key in ["b", "c", "d"] {
        assert!((990..=1000).contains(&app.head(entry_path(key)).await.ttl()), "{key}");
    }
    let explicit = app.get("/api/cache/e?ttl=5").await;
    assert!(explicit.ttl() <= 5, "{explicit:?}");
}

#[tokio::test]
async fn a_default_ttl_of_zero_caches_only_with_an_explicit_ttl() {
    let app = App::builder().variable("cache_ttl_kv_get", "0").spawn().await;
    let first = app.get("/api/cache/a").await;
    let second = app.get("/api/cache/a").await;
    for response in [&first, &second] {
        assert_eq!(response.expect_ok()["key"], "a");
        assert!(!response.is_hit() && !response.is_stored(), "{response:?}");
    }
    let explicit = app.get("/api/cache/a?ttl=50").await;
    assert!(explicit.is_stored(), "{explicit:?}");
    assert_eq!(app.get("/api/cache/a?ttl=50").await.text(), explicit.text());
    let without = app.put("/api/cache/b").json(json!(1)).await;
    assert_eq!(without.expect_errors(400, "invalid-parameter"), ["ttl"]);
    let without = app.post("/api/cache/mset").json(json!({"entries": {"b": 1}})).await;
    assert_eq!(without.expect_errors(422, "validation"), ["/ttl"]);
    assert_eq!(app.put("/api/cache/b?ttl=50").json(json!(1)).await.status(), 200);
}

#[tokio::test]
async fn operations_of_users_whose_ttl_is_zero_are_not_cached() {
    let app = App::builder().variable("cache_ttl_users_list", "0").spawn().await;
    let id = app.given_user_id("ada").await;
    for _ in 0..3 {
        let list = app.get("/users").await;
        assert!(list.status() == 200 && !list.is_hit() && !list.is_stored(), "{list:?}");
    }
    app.get(format!("/users/{id}")).await;
    assert!(app.get(format!("/users/{id}")).await.is_hit(), "other operations are");
    let entries: Vec<_> = app.redis.keys().await.into_iter().filter(|key| key.starts_with("users:cache:")).collect();
    assert_eq!(entries, [""; 0]);
}

#[tokio::test]
async fn an_invalid_value_is_logged_and_every_request_fails() {
    let table = [
        ("cache_origin_url", "ftp://example.org"),
        ("cache_origin_url", "http://example.org/?a=b"),
        ("cache_origin_timeout_ms", "10001"),
        ("cache_ttl_kv_get", "-1"),
        ("cache_ttl_kv_get", "5m"),
        ("cache_ttls", "posts.list"),
        ("cache_ttls", "posts.list=60,posts.list=70"),
        ("cache_warm_keys", &*"k".repeat(513)),
        ("cache_timeout_ms", "0"),
        ("cache_verify_ratio", "-1"),
        ("cache_verify_origin", "yes"),
        ("cache_grace_s", "-1"),
        ("cache_soft_timeout_ms", "10001"),
        ("cache_refresh_ahead", "1001"),
        ("cache_compress_min_bytes", "1k"),
        ("redis_url", ""),
    ];
    for (name, value) in table {
        let app = App::builder().variable(name, value).spawn().await;
        for request in [app.get("/api/cache/a"), app.put("/api/cache/a").json(json!(1))] {
            let response = request.await;
            response.expect_problem(500, "internal");
            assert!(!response.text().contains(name), "{response:?}");
        }
        let log = app.host.output();
        assert!(log.contains(&format!("the variable {name} must be")), "{name}={value}: {log}");
    }
}

#[tokio::test]
async fn the_timeout_of_the_origin_can_be_set() {
    let origin = Origin::start().await;
    let builder = App::builder().origin(&origin);
    let app = builder.variable("cache_origin_timeout_ms", "100").spawn().await;
    app.get("/api/cache/first").await.expect_ok();
    origin.hold();
    let get = async || app.get("/api/cache/a").await.expect_problem(504, "gateway-timeout");
    within(Duration::from_millis(450), get).await;
}
