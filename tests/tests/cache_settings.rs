//! The cache component's variables, good and bad.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;

use std::time::{Duration, Instant};

use answer::read;
use blackbox::App;
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn the_default_ttl_can_be_set() {
    let app = App::builder().variable("cache_ttl_kv_get", "1000").spawn().await;
    let miss = read(app.get_cached("a").await).await;
    assert!((990..=1000).contains(&miss.ttl()), "{miss:?}");
    assert_eq!(read(app.put_cached("b", "", &json!(1)).await).await.expect_ok()["ttl"], 1000);
    app.mset(&json!({"entries": {"c": 1}})).await;
    app.warm(&json!({"keys": ["d"]})).await;
    for key in ["b", "c", "d"] {
        assert!((990..=1000).contains(&read(app.head_cached(key).await).await.ttl()), "{key}");
    }
    let told = read(app.cached(Method::GET, "e", "?ttl=5").send().await.unwrap()).await;
    assert!(told.ttl() <= 5, "{told:?}");
}

#[tokio::test]
async fn a_default_ttl_of_zero_caches_only_what_says_how_long() {
    let app = App::builder().variable("cache_ttl_kv_get", "0").spawn().await;
    let first = read(app.get_cached("a").await).await;
    let second = read(app.get_cached("a").await).await;
    for answer in [&first, &second] {
        assert_eq!(answer.expect_ok()["key"], "a");
        assert!(!answer.is_hit() && !answer.is_stored(), "{answer:?}");
    }
    let told = read(app.cached(Method::GET, "a", "?ttl=50").send().await.unwrap()).await;
    assert!(told.is_stored(), "{told:?}");
    assert_eq!(read(app.cached(Method::GET, "a", "?ttl=50").send().await.unwrap()).await.body, told.body);
    let without = read(app.put_cached("b", "", &json!(1)).await).await;
    assert_eq!(without.expect_errors(400, "invalid-parameter"), ["ttl"]);
    let without = read(app.mset(&json!({"entries": {"b": 1}})).await).await;
    assert_eq!(without.expect_errors(422, "validation"), ["/ttl"]);
    assert_eq!(app.put_cached("b", "?ttl=50", &json!(1)).await.status(), 200);
}

#[tokio::test]
async fn operations_of_users_whose_ttl_is_zero_are_not_cached() {
    let app = App::builder().variable("cache_ttl_users_list", "0").spawn().await;
    let id = app.given_user_id("ada").await;
    for _ in 0..3 {
        let list = read(app.get("/users").await).await;
        assert!(list.status == 200 && !list.is_hit() && !list.is_stored(), "{list:?}");
    }
    read(app.get_user(id).await).await;
    assert!(read(app.get_user(id).await).await.is_hit(), "other operations are");
    let entries: Vec<_> = app.redis.keys().await.into_iter().filter(|key| key.starts_with("users:cache:")).collect();
    assert_eq!(entries, [""; 0]);
}

#[tokio::test]
async fn a_bad_value_is_told_in_the_log_and_never_guessed() {
    let table = [
        ("cache_origin_url", "ftp://example.org"),
        ("cache_origin_url", "http://example.org/?a=b"),
        ("cache_origin_timeout_ms", "10001"),
        ("cache_ttl_kv_get", "-1"),
        ("cache_ttl_kv_get", "5m"),
        ("cache_timeout_ms", "0"),
        ("redis_url", ""),
    ];
    for (name, value) in table {
        let app = App::builder().variable(name, value).spawn().await;
        for answer in [app.get_cached("a").await, app.put_cached("a", "", &json!(1)).await] {
            let answer = read(answer).await;
            answer.expect_problem(500, "internal");
            assert!(!answer.body.contains(name), "{answer:?}");
        }
        let log = app.host.output();
        assert!(log.contains(&format!("the variable {name} must be")), "{name}={value}: {log}");
    }
}

#[tokio::test]
async fn the_time_for_the_origin_can_be_set() {
    let origin = blackbox::Origin::start().await;
    let builder = App::builder().variable("cache_origin_url", &origin.url());
    let app = builder.variable("cache_origin_timeout_ms", "100").spawn().await;
    read(app.get_cached("first").await).await.expect_ok();
    origin.hold();
    let start = Instant::now();
    read(app.get_cached("a").await).await.expect_problem(504, "gateway-timeout");
    assert!(start.elapsed() < Duration::from_millis(450), "{:?}", start.elapsed());
}
