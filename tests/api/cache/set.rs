//! PUT /api/cache/:key.

use blackbox::App;
use serde_json::{Value, json};

use super::VALUE_MAX;

#[tokio::test]
async fn a_put_replaces_value_and_ttl() {
    let app = App::spawn().await;
    let values =
        [json!(null), json!(true), json!(0), json!("text"), json!([]), json!({}), json!({"a": [1, {"b": "ü"}]})];
    for (ttl, value) in (100..).zip(&values) {
        let put = app.put(format!("/api/cache/a?ttl={ttl}")).json(value).await;
        assert_eq!(put.expect_ok(), json!({"key": "a", "stored": true, "ttl": ttl}));
        let got = app.get("/api/cache/a").await;
        assert!(got.is_hit() && (ttl - 5..=ttl).contains(&got.ttl()), "{got:?}");
        assert_eq!(got.expect_ok(), json!({"key": "a", "value": value}));
    }
    assert_eq!(app.put("/api/cache/b").json(json!(1)).await.expect_ok()["ttl"], 60, "the default");
    let typed = app.put("/api/cache/c").header("content-type", "application/json; charset=utf-8").body("1").await;
    assert_eq!(typed.status(), 200);
}

#[tokio::test]
async fn a_value_is_json_of_at_most_512_kib() {
    let app = App::spawn().await;
    let put = async |body: &[u8]| app.put("/api/cache/a").json_text(body).await;
    let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2)).into_bytes();
    let largest = put(&text(VALUE_MAX)).await;
    assert_eq!(largest.expect_ok()["stored"], true);
    let got = app.get("/api/cache/a").await;
    assert_eq!(got.json()["value"].as_str().map(str::len), Some(VALUE_MAX - 2));

    put(&text(VALUE_MAX + 1)).await.expect_problem(413, "content-too-large");
    for body in ["", "{", "{\"a\":}", "1 2", "nul", "{'a':1}", "[1,]", "\u{feff}1"] {
        put(body.as_bytes()).await.expect_problem(400, "malformed-json");
    }
    put(b"\"\xff\"").await.expect_problem(400, "malformed-json");
    for kind in ["text/plain", "application/x-www-form-urlencoded"] {
        let response = app.put("/api/cache/a").header("content-type", kind).body("1").await;
        response.expect_problem(415, "unsupported-media-type");
    }
    app.put("/api/cache/a").body("1").await.expect_problem(415, "unsupported-media-type");
    let after = app.get("/api/cache/a").await;
    assert!(after.is_hit() && after.text() == got.text(), "the refused requests changed nothing");
}

#[tokio::test]
async fn a_deeply_nested_value_breaks_nothing() {
    let app = App::spawn().await;
    let deep = ["[".repeat(100_000), "]".repeat(100_000)].concat();
    let response = app.put("/api/cache/deep").json_text(deep.as_str()).await;
    if response.status() == 200 {
        let got = app.get("/api/cache/deep").await;
        assert!(got.status() == 200 && got.is_hit() && got.text().contains(&deep), "{:?}", got.header("cache-status"));
    } else {
        response.expect_problem(400, "malformed-json");
    }
    let other: Value = app.put("/api/cache/a").json(json!(1)).await.expect_ok();
    assert_eq!(other["stored"], true);
}
