//! GET /api/cache/:key: fetched once, answered from the cache until its TTL ends, byte for byte what was stored.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use answer::read;
use blackbox::{App, Origin, Reply};
use reqwest::Method;
use serde_json::json;

/// The value of a raw entry in Redis, the only one there is.
async fn entry(app: &App) -> String {
    let keys = app.redis.keys().await;
    let mut entries = keys.iter().filter(|key| key.starts_with("cache:entry:"));
    let found = entries.next().unwrap_or_else(|| panic!("{keys:?} has no entry"));
    assert_eq!(entries.next(), None);
    found.clone()
}

#[tokio::test]
async fn without_an_origin_a_miss_makes_the_demo_value_and_stores_it() {
    let app = App::spawn().await;
    let unix_ms = || u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let before = unix_ms();
    let miss = read(app.get_cached("report:7").await).await;
    let answer = miss.expect_ok();
    assert_eq!(answer.as_object().unwrap().keys().collect::<Vec<_>>(), ["key", "value"]);
    assert_eq!((&answer["key"], &answer["value"]["demo"]), (&json!("report:7"), &json!("value-for-report:7")));
    let made = answer["value"]["generatedAt"].as_u64().unwrap();
    assert!((before..=unix_ms()).contains(&made), "{made} is not in Unix ms between {before} and now");
    assert!(miss.is_stored(), "{miss:?}");
    for _ in 0..3 {
        let hit = read(app.get_cached("report:7").await).await;
        assert!(hit.is_hit(), "{hit:?}");
        assert_eq!(hit.body, miss.body);
        assert!((50..=60).contains(&hit.ttl()), "60 s unless told otherwise: {hit:?}");
    }
    let other = read(app.get_cached("report:8").await).await;
    assert!(other.is_stored() && other.json()["value"]["demo"] == "value-for-report:8", "{other:?}");
}

#[tokio::test]
async fn with_an_origin_a_miss_fetches_and_a_hit_does_not() {
    let origin = Origin::start().await;
    let app = App::builder().variable("cache_origin_url", &origin.url()).spawn().await;
    for _ in 0..3 {
        let answer = read(app.get_cached("a").await).await;
        assert_eq!(answer.expect_ok(), json!({"key": "a", "value": {"request": 1}}));
    }
    assert_eq!(origin.count(), 1);
}

#[tokio::test]
async fn the_ttl_that_is_asked_for_counts_from_the_fill_and_ends() {
    let app = App::spawn().await;
    let get = async |query: &str| read(app.cached(Method::GET, "a", query).send().await.unwrap()).await;
    let start = Instant::now();
    let first = get("?ttl=2").await;
    assert!(first.is_stored() && first.ttl() <= 2, "{first:?}");
    // A hit does not prolong it.
    while get("?ttl=1000").await.is_hit() {
        assert!(start.elapsed() < Duration::from_secs(10), "the entry outlives its TTL");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(start.elapsed() > Duration::from_millis(1900), "it ended after {:?}", start.elapsed());
    let again = get("?ttl=1000").await;
    assert!(again.is_hit() && (990..=1000).contains(&again.ttl()), "{again:?}");
    assert_ne!(again.body, first.body, "the value was made anew");
    for ttl in [1, 2_592_000] {
        let path = format!("/api/cache/bound-{ttl}?ttl={ttl}");
        let answer = read(app.get(&path).await).await;
        assert!(answer.is_stored() && (ttl - 1..=ttl).contains(&answer.ttl()), "{answer:?}");
    }
}

#[tokio::test]
async fn values_come_back_as_the_text_that_was_stored() {
    let origin = Origin::start().await;
    let app = App::builder().variable("cache_origin_url", &origin.url()).spawn().await;
    let texts = [
        r#"{"b":1,"a":12345678901234567890123456789.10,"e":1E2,"b":2}"#,
        r#"-0.0"#,
        r#""\u00e4\/ ä 😀""#,
        "null",
        "[[],{}]",
        "false",
    ];
    for (number, text) in texts.into_iter().enumerate() {
        let put = app.cached(Method::PUT, &format!("put-{number}"), "").header("content-type", "application/json");
        assert_eq!(put.body(text).send().await.unwrap().status(), 200, "{text}");
        origin.reply(&format!("/fetched-{number}"), Reply::json(text));
        for key in [format!("put-{number}"), format!("fetched-{number}"), format!("fetched-{number}")] {
            let answer = read(app.get_cached(&key).await).await;
            assert_eq!(answer.body, format!(r#"{{"key":"{key}","value":{text}}}"#));
        }
    }
}

#[tokio::test]
async fn an_entry_that_is_not_json_is_replaced_and_counted() {
    let app = App::spawn().await;
    let first = read(app.get_cached("a").await).await;
    assert!(first.is_stored(), "{first:?}");
    let mut redis = app.redis.connection().await;
    let key = entry(&app).await;
    let good: Vec<u8> = redis::cmd("GET").arg(&key).query_async(&mut redis).await.unwrap();
    let cut = good[..good.len() - 1].to_vec();
    let corrupt = async || {
        let stats = read(app.admin_cache(Method::GET, "/stats").await).await.json();
        stats["totals"]["corrupt"].as_u64().unwrap_or_else(|| panic!("{stats}"))
    };
    assert_eq!(corrupt().await, 0);
    let contents = [cut, b"not json".to_vec(), Vec::new(), [&good[..], b"}"].concat(), b"\xff\xfe{}".to_vec()];
    for (round, bytes) in (1..).zip(contents) {
        let _: () = redis::cmd("SET").arg(&key).arg(bytes).arg("EX").arg(60).query_async(&mut redis).await.unwrap();
        let replaced = read(app.get_cached("a").await).await;
        assert!(!replaced.is_hit() && replaced.expect_ok()["value"]["demo"] == "value-for-a", "{round}: {replaced:?}");
        let hit = read(app.get_cached("a").await).await;
        assert!(hit.is_hit() && hit.body == replaced.body, "{round}: {hit:?}");
        let start = Instant::now();
        while corrupt().await < round {
            assert!(start.elapsed() < Duration::from_secs(5), "the entry of round {round} was not counted");
        }
    }
}

#[tokio::test]
async fn an_entry_of_another_type_is_no_failure() {
    let app = App::spawn().await;
    read(app.get_cached("a").await).await;
    let mut redis = app.redis.connection().await;
    let key = entry(&app).await;
    let _: () = redis::cmd("DEL").arg(&key).query_async(&mut redis).await.unwrap();
    let _: () = redis::cmd("RPUSH").arg(&key).arg("x").query_async(&mut redis).await.unwrap();
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::GET] {
        let request = app.cached(method.clone(), "a", "").json(&json!(1));
        let answer = read(request.send().await.unwrap()).await;
        assert!([200, 404].contains(&answer.status.as_u16()), "{method}: {answer:?}");
    }
    let hit = read(app.get_cached("a").await).await;
    assert!(hit.is_hit() && hit.json()["value"] == 1, "{hit:?}");
}

#[tokio::test]
async fn everything_holds_with_a_fresh_instance_for_each_request() {
    let app = App::builder().host_arg("--max-instance-reuse-count", "1").spawn().await;
    let miss = read(app.get_cached("a").await).await;
    assert!(miss.is_stored(), "{miss:?}");
    let hit = read(app.get_cached("a").await).await;
    assert!(hit.is_hit() && hit.body == miss.body, "{hit:?}");
    assert_eq!(app.put_cached("a", "", &json!(1)).await.status(), 200);
    assert_eq!(read(app.get_cached("a").await).await.json()["value"], 1);
    assert_eq!(read(app.delete_cached("a").await).await.json()["deleted"], true);
    assert!(read(app.get_cached("a").await).await.is_stored());
    assert_eq!(read(app.invalidate(&json!({"pattern": "*"})).await).await.json()["invalidated"], 1);
    assert!(read(app.get_cached("a").await).await.is_stored());
}
