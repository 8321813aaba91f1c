//! POST /api/cache/mget, mset and warm: many keys in one request.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;

use std::time::Duration;

use answer::read;
use blackbox::{App, Origin, Reply};
use reqwest::Method;
use serde_json::{Map, Value, json};

/// The most keys of one request.
const MANY: usize = 1000;

fn keys(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("many:{number}")).collect()
}

#[tokio::test]
async fn what_mset_stores_mget_finds() {
    let app = App::spawn().await;
    let entries = json!({"a": 1, "b:c": {"d": [null]}, "null": null, "": 1});
    let refused = read(app.mset(&json!({"entries": entries})).await).await;
    assert_eq!(refused.expect_errors(422, "validation"), ["/entries"], "an empty key");
    let entries = json!({"a": 1, "b:c": {"d": [null]}, "null": null, "ключ/~": "ä", "stats": 5});
    let stored = read(app.mset(&json!({"entries": entries, "ttl": 100})).await).await;
    assert_eq!(stored.expect_ok(), json!({"stored": 5}));
    let found = read(app.mget(&json!({"keys": ["a", "b:c", "null", "ключ/~", "stats", "d", "A"]})).await).await;
    assert_eq!(found.expect_ok(), json!({"entries": entries, "missing": ["d", "A"]}));
    // `/api/cache/stats` is a route.
    for key in entries.as_object().unwrap().keys().filter(|key| *key != "stats") {
        let head = read(app.head_cached(key).await).await;
        assert!(head.status == 200 && (90..=100).contains(&head.ttl()), "{head:?}");
    }
    let default = read(app.mset(&json!({"entries": {"e": 1}})).await).await;
    assert_eq!(default.expect_ok(), json!({"stored": 1}));
    assert!((50..=60).contains(&read(app.head_cached("e").await).await.ttl()), "60 s unless told otherwise");
    assert_eq!(read(app.mget(&json!({"keys": ["x"]})).await).await.json(), json!({"entries": {}, "missing": ["x"]}));
}

#[tokio::test]
async fn mget_does_not_fill() {
    let app = App::spawn().await;
    for _ in 0..2 {
        let none = read(app.mget(&json!({"keys": ["a", "a"]})).await).await.expect_ok();
        assert_eq!(none["entries"], json!({}));
    }
    assert_eq!(app.head_cached("a").await.status(), 404);
}

#[tokio::test]
async fn a_thousand_keys_cost_one_command_to_read() {
    let app = App::spawn().await;
    let keys = keys(MANY);
    let entries: Map<String, Value> = keys.iter().zip(0..).map(|(key, n)| (key.clone(), json!({"n": n}))).collect();
    let stored = read(app.mset(&json!({"entries": entries})).await).await;
    assert_eq!(stored.expect_ok(), json!({"stored": MANY}));
    let mut monitor = app.redis.monitor().await;
    monitor.settle().await;
    let found = read(app.mget(&json!({"keys": keys})).await).await;
    assert_eq!(found.expect_ok(), json!({"entries": entries, "missing": []}));
    let commands = monitor.commands().await;
    let asked: Vec<_> =
        commands.iter().filter(|command| command.args.iter().any(|arg| arg.contains("many:"))).collect();
    let names: Vec<_> = asked.iter().map(|command| command.name.as_str()).collect();
    assert_eq!(names, ["MGET"], "one round trip");
}

#[tokio::test]
async fn an_mset_replaces_what_was_there_and_nothing_else() {
    let app = App::spawn().await;
    app.mset(&json!({"entries": {"a": 1, "b": 1}, "ttl": 1000})).await;
    app.mset(&json!({"entries": {"b": 2, "c": 2}, "ttl": 50})).await;
    let found = read(app.mget(&json!({"keys": ["a", "b", "c"]})).await).await;
    assert_eq!(found.expect_ok(), json!({"entries": {"a": 1, "b": 2, "c": 2}, "missing": []}));
    assert!(read(app.head_cached("a").await).await.ttl() > 900);
    assert!(read(app.head_cached("b").await).await.ttl() <= 50);
}

#[tokio::test]
async fn eight_mebibytes_at_once_are_stored_but_no_value_over_512_kib() {
    let app = App::spawn().await;
    let entries = |count: usize, bytes: usize| {
        let entry = |number| (format!("k{number}"), json!("x".repeat(bytes)));
        json!({"entries": (0..count).map(entry).collect::<Map<_, _>>()})
    };
    let stored = read(app.mset(&entries(16, 500_000)).await).await;
    assert_eq!(stored.expect_ok(), json!({"stored": 16}));
    let all = json!({"keys": (0..16).map(|number| format!("k{number}")).collect::<Vec<_>>()});
    let found = read(app.mget(&all).await).await.expect_ok();
    let lengths: Vec<_> =
        found["entries"].as_object().unwrap().values().map(|value| value.as_str().unwrap().len()).collect();
    assert_eq!(lengths, [500_000; 16]);
    // One value of 512 KiB passes, one byte more does not.
    let value = |bytes: usize| json!({"entries": {"a": 1, "b/c~": "x".repeat(bytes - 2)}});
    assert_eq!(read(app.mset(&value(512 * 1024)).await).await.expect_ok(), json!({"stored": 2}));
    let refused = read(app.mset(&value(512 * 1024 + 1)).await).await;
    let status = refused.status.as_u16();
    assert!([413, 422].contains(&status), "{refused:?}");
    let kind = if status == 413 { "content-too-large" } else { "validation" };
    assert_eq!(refused.expect_errors(status, kind), ["/entries/b~1c~0"]);
}

#[tokio::test]
async fn warm_fills_what_is_missing() {
    let origin = Origin::start().await;
    let app = App::builder().variable("cache_origin_url", &origin.url()).spawn().await;
    app.put_cached("b", "", &json!("was there")).await;
    let answer = read(app.warm(&json!({"keys": ["a", "b", "c"], "ttl": 100})).await).await;
    assert_eq!(answer.expect_ok(), json!({"warmed": 3, "filled": 2, "failed": []}));
    assert_eq!(origin.count(), 2);
    for key in ["a", "b", "c"] {
        let hit = read(app.get_cached(key).await).await;
        assert!(hit.is_hit(), "{hit:?}");
        assert_eq!(hit.ttl() > 60, key != "b", "{hit:?}");
    }
    assert_eq!(read(app.get_cached("b").await).await.json()["value"], "was there");
    let again = read(app.warm(&json!({"keys": ["a", "b", "c"]})).await).await;
    assert_eq!(again.expect_ok(), json!({"warmed": 3, "filled": 0, "failed": []}));
    assert_eq!(origin.count(), 2);
}

#[tokio::test]
async fn warm_names_the_keys_that_could_not_be_filled_and_why() {
    let origin = Origin::start().await;
    let app = App::builder().variable("cache_origin_url", &origin.url()).spawn().await;
    origin.reply("/absent", Reply::status(404));
    origin.reply("/broken", Reply::status(500));
    origin.reply("/text", Reply::json("not json"));
    let answer = read(app.warm(&json!({"keys": ["a", "absent", "b", "broken", "text"]})).await).await.expect_ok();
    assert_eq!((&answer["warmed"], &answer["filled"]), (&json!(5), &json!(2)), "{answer}");
    let failed = answer["failed"].as_array().unwrap();
    let mut named: Vec<_> = failed.iter().map(|failure| failure["key"].as_str().unwrap()).collect();
    named.sort_unstable();
    assert_eq!(named, ["absent", "broken", "text"], "{answer}");
    for failure in failed {
        let reason = failure["reason"].as_str().unwrap();
        assert!(!reason.is_empty() && !reason.contains("127.0.0.1"), "{failure}");
    }
    for (key, status) in [("a", 200), ("b", 200), ("absent", 404), ("broken", 404), ("text", 404)] {
        assert_eq!(app.head_cached(key).await.status(), status, "{key}");
    }
}

#[tokio::test]
async fn warm_fetches_side_by_side_but_not_all_at_once() {
    let origin = Origin::start().await;
    origin.delay(Duration::from_millis(20));
    let app = App::builder()
        .variable("cache_origin_url", &origin.url())
        .variable("cache_origin_timeout_ms", "10000")
        .variable("cache_timeout_ms", "2000")
        .spawn()
        .await;
    let keys = keys(200);
    let answer = read(app.warm(&json!({"keys": keys})).await).await;
    assert_eq!(answer.expect_ok(), json!({"warmed": 200, "filled": 200, "failed": []}));
    let most = origin.most_at_once();
    println!("200 keys: at most {most} requests to the origin at once");
    assert!((2..=16).contains(&most), "{most} at once");
    assert_eq!(origin.count(), 200);
}

#[tokio::test]
async fn warm_takes_a_thousand_keys_and_fetches_each_once() {
    let origin = Origin::start().await;
    let app = App::builder()
        .variable("cache_origin_url", &origin.url())
        .variable("cache_origin_timeout_ms", "10000")
        .variable("cache_timeout_ms", "2000")
        .spawn()
        .await;
    // Each key twice.
    let twice = [keys(MANY / 2), keys(MANY / 2)].concat();
    let answer = read(app.warm(&json!({"keys": twice})).await).await.expect_ok();
    assert_eq!((&answer["warmed"], &answer["failed"]), (&json!(MANY), &json!([])), "{answer}");
    assert_eq!(origin.count(), MANY / 2);
    let found = read(app.mget(&json!({"keys": keys(MANY / 2)})).await).await.expect_ok();
    assert_eq!(found["missing"], json!([]));
    let stats = read(app.admin_cache(Method::GET, "/stats").await).await.expect_ok();
    assert_eq!(stats["totalKeys"], MANY / 2);
}
