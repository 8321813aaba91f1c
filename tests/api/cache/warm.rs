//! POST /api/cache/warm.

use std::time::Duration;

use blackbox::{App, Origin, Reply, entry_path, until};
use serde_json::json;

use super::{MANY, many_keys, stats};

#[tokio::test]
async fn warm_fills_the_missing_keys() {
    let origin = Origin::start().await;
    let app = App::builder().origin(&origin).spawn().await;
    app.put("/api/cache/b").json(json!("was there")).await;
    let response = app.post("/api/cache/warm").json(json!({"keys": ["a", "b", "c"], "ttl": 100})).await;
    assert_eq!(response.expect_ok(), json!({"warmed": 3, "filled": 2, "failed": []}));
    assert_eq!(origin.count(), 2);
    for key in ["a", "b", "c"] {
        let hit = app.get(entry_path(key)).await;
        assert!(hit.is_hit(), "{hit:?}");
        assert_eq!(hit.ttl() > 60, key != "b", "{hit:?}");
    }
    assert_eq!(app.get("/api/cache/b").await.json()["value"], "was there");
    let again = app.post("/api/cache/warm").json(json!({"keys": ["a", "b", "c"]})).await;
    assert_eq!(again.expect_ok(), json!({"warmed": 3, "filled": 0, "failed": []}));
    assert_eq!(origin.count(), 2);
}

#[tokio::test]
async fn warm_names_the_keys_that_fail_and_why() {
    let origin = Origin::start().await;
    let app = App::builder().origin(&origin).spawn().await;
    origin.reply("/absent", Reply::status(404));
    origin.reply("/broken", Reply::status(500));
    origin.reply("/text", Reply::json("not json"));
    let response =
        app.post("/api/cache/warm").json(json!({"keys": ["a", "absent", "b", "broken", "text"]})).await.expect_ok();
    assert_eq!((&response["warmed"], &response["filled"]), (&json!(5), &json!(2)), "{response}");
    let failed = response["failed"].as_array().unwrap();
    let mut named: Vec<_> = failed.iter().map(|failure| failure["key"].as_str().unwrap()).collect();
    named.sort_unstable();
    assert_eq!(named, ["absent", "broken", "text"], "{response}");
    for failure in failed {
        let reason = failure["reason"].as_str().unwrap();
        assert!(!reason.is_empty() && !reason.contains("127.0.0.1"), "{failure}");
    }
    for (key, status) in [("a", 200), ("b", 200), ("absent", 404), ("broken", 404), ("text", 404)] {
        assert_eq!(app.head(entry_path(key)).await.status(), status, "{key}");
    }
}

#[tokio::test]
async fn warm_fetches_at_most_sixteen_keys_at_once() {
    let origin = Origin::start().await;
    origin.delay(Duration::from_millis(20));
    let app = App::builder().origin(&origin).spawn().await;
    let keys = many_keys(200);
    let response = app.post("/api/cache/warm").json(json!({"keys": keys})).await;
    assert_eq!(response.expect_ok(), json!({"warmed": 200, "filled": 200, "failed": []}));
    let most = origin.most_at_once();
    println!("200 keys: at most {most} requests to the origin at once");
    assert!((2..=16).contains(&most), "{most} at once");
    assert_eq!(origin.count(), 200);
}

#[tokio::test]
async fn warm_takes_a_thousand_keys_and_fetches_each_once() {
    let origin = Origin::start().await;
    let app = App::builder().origin(&origin).spawn().await;
    // Each key twice.
    let twice = [many_keys(MANY / 2), many_keys(MANY / 2)].concat();
    let response = app.post("/api/cache/warm").json(json!({"keys": twice})).await.expect_ok();
    assert_eq!((&response["warmed"], &response["failed"]), (&json!(MANY), &json!([])), "{response}");
    assert_eq!(origin.count(), MANY / 2);
    let found = app.post("/api/cache/mget").json(json!({"keys": many_keys(MANY / 2)})).await.expect_ok();
    assert_eq!(found["missing"], json!([]));
    assert_eq!(stats(&app).await["totalKeys"], MANY / 2);
}

#[tokio::test]
async fn the_first_request_fills_the_keys_of_the_variable() {
    let origin = Origin::start().await;
    let app = App::builder().origin(&origin).variable("cache_warm_keys", "a, b:1 ,a").spawn().await;
    origin.hold();
    // The first request does not wait for the origin.
    app.get("/api/cache/stats").await.expect_ok();
    origin.received(2).await;
    origin.release();
    for key in ["a", "b:1"] {
        until("the key is filled", async || app.head(entry_path(key)).await.status() == 200).await;
    }
    // Another instance does not do it again within a minute.
    app.delete("/api/cache/a").await.expect_ok();
    let (_host, other) = app.second_host().await;
    other.get("/api/cache/stats").await.expect_ok();
    other.get(entry_path("b:1")).await.expect_ok();
    assert_eq!(app.head("/api/cache/a").await.status(), 404);
    assert_eq!(origin.count(), 2);
}
