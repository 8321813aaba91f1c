//! POST /api/cache/mset.

use blackbox::{App, entry_path};
use serde_json::{Map, json};

use super::VALUE_MAX;

#[tokio::test]
async fn mget_finds_what_mset_stores() {
    let app = App::spawn().await;
    let entries = json!({"a": 1, "b:c": {"d": [null]}, "null": null, "": 1});
    let refused = app.post("/api/cache/mset").json(json!({"entries": entries})).await;
    assert_eq!(refused.expect_errors(422, "validation"), ["/entries"], "an empty key");
    let entries = json!({"a": 1, "b:c": {"d": [null]}, "null": null, "ключ/~": "ä", "stats": 5});
    let stored = app.post("/api/cache/mset").json(json!({"entries": entries, "ttl": 1000})).await;
    assert_eq!(stored.expect_ok(), json!({"stored": 5}));
    let found =
        app.post("/api/cache/mget").json(json!({"keys": ["a", "b:c", "null", "ключ/~", "stats", "d", "A"]})).await;
    assert_eq!(found.expect_ok(), json!({"entries": entries, "missing": ["d", "A"]}));
    // `/api/cache/stats` is a route.
    for key in entries.as_object().unwrap().keys().filter(|key| *key != "stats") {
        let head = app.head(entry_path(key)).await;
        assert!(head.status() == 200 && (900..=1000).contains(&head.ttl()), "{head:?}");
    }
    let default = app.post("/api/cache/mset").json(json!({"entries": {"e": 1}})).await;
    assert_eq!(default.expect_ok(), json!({"stored": 1}));
    assert!((50..=60).contains(&app.head("/api/cache/e").await.ttl()), "60 s by default");
    assert_eq!(
        app.post("/api/cache/mget").json(json!({"keys": ["x"]})).await.json(),
        json!({"entries": {}, "missing": ["x"]})
    );
}

#[tokio::test]
async fn mset_replaces_the_named_entries_and_nothing_else() {
    let app = App::spawn().await;
    app.post("/api/cache/mset").json(json!({"entries": {"a": 1, "b": 1}, "ttl": 1000})).await;
    app.post("/api/cache/mset").json(json!({"entries": {"b": 2, "c": 2}, "ttl": 50})).await;
    let found = app.post("/api/cache/mget").json(json!({"keys": ["a", "b", "c"]})).await;
    assert_eq!(found.expect_ok(), json!({"entries": {"a": 1, "b": 2, "c": 2}, "missing": []}));
    assert!(app.head("/api/cache/a").await.ttl() > 900);
    assert!(app.head("/api/cache/b").await.ttl() <= 50);
}

#[tokio::test]
async fn mset_stores_eight_mebibytes_but_no_value_over_512_kib() {
    let app = App::spawn().await;
    let entries = |count: usize, bytes: usize| {
        let entry = |number| (format!("k{number}"), json!("x".repeat(bytes)));
        json!({"entries": (0..count).map(entry).collect::<Map<_, _>>()})
    };
    let stored = app.post("/api/cache/mset").json(entries(16, 500_000)).await;
    assert_eq!(stored.expect_ok(), json!({"stored": 16}));
    let all = json!({"keys": (0..16).map(|number| format!("k{number}")).collect::<Vec<_>>()});
    let found = app.post("/api/cache/mget").json(&all).await.expect_ok();
    let lengths: Vec<_> =
        found["entries"].as_object().unwrap().values().map(|value| value.as_str().unwrap().len()).collect();
    assert_eq!(lengths, [500_000; 16]);
    // One value of 512 KiB passes, one byte more does not.
    let value = |bytes: usize| json!({"entries": {"a": 1, "b/c~": "x".repeat(bytes - 2)}});
    assert_eq!(app.post("/api/cache/mset").json(value(VALUE_MAX)).await.expect_ok(), json!({"stored": 2}));
    let refused = app.post("/api/cache/mset").json(value(VALUE_MAX + 1)).await;
    let status = refused.status();
    assert!([413, 422].contains(&status), "{refused:?}");
    let kind = if status == 413 { "content-too-large" } else { "validation" };
    assert_eq!(refused.expect_errors(status, kind), ["/entries/b~1c~0"]);
}
