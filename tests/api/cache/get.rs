//! GET and HEAD /api/cache/:key: a missing value is fetched once, then read from the cache until its TTL ends.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use blackbox::{App, Origin, Reply, entry_path, until};
use reqwest::Method;
use serde_json::json;

use super::stats;

/// The Redis key of the only cache entry.
async fn only_entry(app: &App) -> String {
    let keys = app.redis.keys().await;
    let mut entries = keys.iter().filter(|key| key.starts_with("cache:entry:"));
    let found = entries.next().unwrap_or_else(|| panic!("{keys:?} has no entry"));
    assert_eq!(entries.next(), None);
    found.clone()
}

#[tokio::test]
async fn without_an_origin_a_miss_stores_a_demo_value() {
    let app = App::spawn().await;
    let unix_ms = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let before = unix_ms();
    let miss = app.get("/api/cache/report:7").await;
    let response = miss.expect_ok();
    assert_eq!(response.as_object().unwrap().keys().collect::<Vec<_>>(), ["key", "value"]);
    assert_eq!((&response["key"], &response["value"]["demo"]), (&json!("report:7"), &json!("value-for-report:7")));
    let created = response["value"]["generatedAt"].as_u64().unwrap();
    assert!((before..=unix_ms()).contains(&created), "{created} is not a Unix time in ms since {before}");
    assert!(miss.is_stored(), "{miss:?}");
    for _ in 0..3 {
        let hit = app.get("/api/cache/report:7").await;
        assert!(hit.is_hit(), "{hit:?}");
        assert_eq!(hit.text(), miss.text());
        assert!((50..=60).contains(&hit.ttl()), "60 s by default: {hit:?}");
    }
    let other = app.get("/api/cache/report:8").await;
    assert!(other.is_stored() && other.json()["value"]["demo"] == "value-for-report:8", "{other:?}");
}

#[tokio::test]
async fn with_an_origin_a_miss_fetches_and_a_hit_does_not() {
    let origin = Origin::start().await;
    let app = App::builder().origin(&origin).spawn().await;
    for _ in 0..3 {
        let response = app.get("/api/cache/a").await;
        assert_eq!(response.expect_ok(), json!({"key": "a", "value": {"request": 1}}));
    }
    assert_eq!(origin.count(), 1);
}

#[tokio::test]
async fn the_requested_ttl_counts_from_the_fill() {
    let app = App::spawn().await;
    let get = async |query: &str| app.get(format!("/api/cache/a{query}")).await;
    let start = Instant::now();
    let first = get("?ttl=2").await;
    assert!(first.is_stored() && first.ttl() <= 2, "{first:?}");
    // A hit does not prolong it.
    until("the entry expires", async || !get("?ttl=1000").await.is_hit()).await;
    assert!(start.elapsed() > Duration::from_millis(1900), "it ended after {:?}", start.elapsed());
    let again = get("?ttl=1000").await;
    assert!(again.is_hit() && (990..=1000).contains(&again.ttl()), "{again:?}");
    assert_ne!(again.text(), first.text(), "the value was created again");
    for ttl in [1, 2_592_000] {
        let path = format!("/api/cache/bound-{ttl}?ttl={ttl}");
        let response = app.get(&path).await;
        assert!(response.is_stored() && (ttl - 1..=ttl).contains(&response.ttl()), "{response:?}");
    }
}

#[tokio::test]
async fn a_value_is_returned_as_the_text_that_was_stored() {
    let origin = Origin::start().await;
    let app = App::builder().origin(&origin).spawn().await;
    let texts = [
        r#"{"b":1,"a":12345678901234567890123456789.10,"e":1E2,"b":2}"#,
        r#"-0.0"#,
        r#""\u00e4\/ ä 😀""#,
        "null",
        "[[],{}]",
        "false",
    ];
    for (number, text) in texts.into_iter().enumerate() {
        let put = app.put(format!("/api/cache/put-{number}")).json_text(text).await;
        assert_eq!(put.status(), 200, "{text}");
        origin.reply(&format!("/fetched-{number}"), Reply::json(text));
        for key in [format!("put-{number}"), format!("fetched-{number}"), format!("fetched-{number}")] {
            let response = app.get(entry_path(&key)).await;
            assert_eq!(response.text(), format!(r#"{{"key":"{key}","value":{text}}}"#));
        }
    }
}

#[tokio::test]
async fn an_entry_that_is_not_json_is_replaced_and_counted() {
    let app = App::spawn().await;
    let first = app.get("/api/cache/a").await;
    assert!(first.is_stored(), "{first:?}");
    let mut redis = app.redis.connection().await;
    let key = only_entry(&app).await;
    let good: Vec<u8> = app.redis.ask(&["GET", &key]).await;
    let cut = good[..good.len() - 1].to_vec();
    let corrupt = async || {
        let stats = stats(&app).await;
        stats["totals"]["corrupt"].as_u64().unwrap_or_else(|| panic!("{stats}"))
    };
    assert_eq!(corrupt().await, 0);
    let contents = [cut, b"not json".to_vec(), Vec::new(), [&good[..], b"}"].concat(), b"\xff\xfe{}".to_vec()];
    let count = contents.len() as u64;
    for (round, bytes) in contents.into_iter().enumerate() {
        let _: () = redis::cmd("SET").arg(&key).arg(bytes).arg("EX").arg(60).query_async(&mut redis).await.unwrap();
        app.redis.end_leases().await;
        let replaced = app.get("/api/cache/a").await;
        assert!(!replaced.is_hit() && replaced.expect_ok()["value"]["demo"] == "value-for-a", "{round}: {replaced:?}");
        let hit = app.get("/api/cache/a").await;
        assert!(hit.is_hit() && hit.text() == replaced.text(), "{round}: {hit:?}");
    }
    until("the corrupt entries are counted", async || corrupt().await >= count).await;
}

#[tokio::test]
async fn an_entry_of_another_redis_type_is_replaced() {
    let app = App::spawn().await;
    app.get("/api/cache/a").await;
    let key = only_entry(&app).await;
    app.redis.run(&["DEL", &key]).await;
    app.redis.run(&["RPUSH", &key, "x"]).await;
    app.redis.end_leases().await;
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::GET] {
        let response = app.request(method.clone(), "/api/cache/a").json(json!(1)).await;
        assert!([200, 404].contains(&response.status()), "{method}: {response:?}");
    }
    let hit = app.get("/api/cache/a").await;
    assert!(hit.is_hit() && hit.json()["value"] == 1, "{hit:?}");
}

#[tokio::test]
async fn the_cache_works_with_an_instance_for_each_request() {
    let app = App::builder().instance_per_request().spawn().await;
    let miss = app.get("/api/cache/a").await;
    assert!(miss.is_stored(), "{miss:?}");
    let hit = app.get("/api/cache/a").await;
    assert!(hit.is_hit() && hit.text() == miss.text(), "{hit:?}");
    assert_eq!(app.put("/api/cache/a").json(json!(1)).await.status(), 200);
    assert_eq!(app.get("/api/cache/a").await.json()["value"], 1);
    assert_eq!(app.delete("/api/cache/a").await.json()["deleted"], true);
    assert!(app.get("/api/cache/a").await.is_stored());
    assert_eq!(app.post("/api/cache/invalidate").json(json!({"pattern": "*"})).await.json()["invalidated"], 1);
    assert!(app.get("/api/cache/a").await.is_stored());
}

#[tokio::test]
async fn head_reports_an_entry_and_never_fills_it() {
    let app = App::spawn().await;
    for _ in 0..3 {
        let absent = app.head("/api/cache/a").await;
        assert_eq!((absent.status(), absent.text()), (404, ""));
    }
    let filled = app.get("/api/cache/a").await;
    assert!(filled.is_stored(), "HEAD had filled it: {filled:?}");
    let there = app.head("/api/cache/a").await;
    assert_eq!((there.status(), there.text()), (200, ""));
    assert!((50..=60).contains(&there.ttl()), "{there:?}");
}
