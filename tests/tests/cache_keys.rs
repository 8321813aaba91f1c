//! PUT, GET, HEAD and DELETE of /api/cache/:key, with every kind of key.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;

use answer::read;
use blackbox::{App, percent_encoded};
use reqwest::Method;
use serde_json::{Value, json};

const MAX_BYTES: usize = 512 * 1024;

/// Keys that a careless program mixes up, cuts, or takes for something else.
fn odd_keys() -> Vec<String> {
    let mut keys: Vec<String> = [
        "a",
        "A",
        "a:b",
        "a:b:c",
        ":",
        "user:1",
        "users:version",
        "locks:door",
        "cache:stats",
        "cache:entry:kv:get:a",
        "a/b",
        "/",
        "a b",
        " ",
        "a+b",
        "a%20b",
        "%",
        "%41",
        "?ttl=5",
        "a?b",
        "#",
        "a&b=c",
        "\"quoted\"",
        "back\\slash",
        "*",
        "[ab]",
        "{a}",
        "ключ",
        "ä",
        "a\u{308}",
        "😀",
        "\u{0}",
        "line\nbreak",
        "tab\t",
        "...",
        "~",
        "x,y;z",
    ]
    .map(str::to_owned)
    .to_vec();
    keys.extend(["k".repeat(511), "k".repeat(512), "ж".repeat(256), "/".repeat(512)]);
    keys
}

#[tokio::test]
async fn each_odd_key_is_a_key_of_its_own() {
    let app = App::spawn().await;
    let keys = odd_keys();
    for (number, key) in keys.iter().enumerate() {
        let put = read(app.put_cached(key, "?ttl=100", &json!(number)).await).await;
        assert_eq!(put.expect_ok(), json!({"key": key, "stored": true, "ttl": 100}));
    }
    for (number, key) in keys.iter().enumerate() {
        let got = read(app.get_cached(key).await).await;
        assert_eq!(got.expect_ok(), json!({"key": key, "value": number}));
        assert!(got.is_hit() && (90..=100).contains(&got.ttl()), "{got:?}");
        let head = read(app.head_cached(key).await).await;
        assert!(head.status == 200 && (90..=100).contains(&head.ttl()), "{key:?}: {head:?}");
    }
    for key in &keys {
        let deleted = read(app.delete_cached(key).await).await;
        assert_eq!(deleted.expect_ok(), json!({"key": key, "deleted": true}));
        assert_eq!(app.head_cached(key).await.status(), 404, "{key:?}");
        let again = read(app.delete_cached(key).await).await;
        assert_eq!(again.expect_ok(), json!({"key": key, "deleted": false}));
    }
}

#[tokio::test]
async fn an_encoding_is_not_part_of_a_key() {
    let app = App::spawn().await;
    assert_eq!(app.put_cached("abc", "", &json!("abc")).await.status(), 200);
    for path in ["/api/cache/abc", "/api/cache/%61bc", "/api/cache/%61%62%63"] {
        assert_eq!(read(app.get(path).await).await.expect_ok(), json!({"key": "abc", "value": "abc"}), "{path}");
    }
    // Colons need no encoding, and a plus sign is a plus sign.
    for (path, key) in [("/api/cache/a:b", "a:b"), ("/api/cache/a+b", "a+b"), ("/api/cache/a%2fb", "a/b")] {
        assert_eq!(read(app.get(path).await).await.expect_ok()["key"], key);
    }
}

#[tokio::test]
async fn names_of_routes_are_reached_with_a_letter_encoded() {
    let app = App::spawn().await;
    let words = [
        ("stats", "%73tats"),
        ("warm", "%77arm"),
        ("mget", "%6dget"),
        ("mset", "%6Dset"),
        ("invalidate", "%69nvalidate"),
        ("lock", "%6cock"),
    ];
    for (word, encoded) in words {
        let path = format!("/api/cache/{encoded}");
        let put = app.request(Method::PUT, &path).json(&json!(word)).send().await.unwrap();
        assert_eq!(read(put).await.expect_ok()["key"], word);
        assert_eq!(read(app.get(&path).await).await.expect_ok(), json!({"key": word, "value": word}));
        let deleted = app.request(Method::DELETE, &path).send().await.unwrap();
        assert_eq!(read(deleted).await.expect_ok(), json!({"key": word, "deleted": true}));
    }
}

#[tokio::test]
async fn keys_that_are_too_long_or_no_text_are_refused() {
    let app = App::spawn().await;
    let mut bad = vec!["%ff".to_owned(), "%C3".to_owned(), "a%zz".to_owned(), "a%2".to_owned(), "a%".to_owned()];
    bad.extend([percent_encoded(&"k".repeat(513)), percent_encoded(&"ж".repeat(257))]);
    for key in bad {
        for method in [Method::GET, Method::PUT, Method::HEAD, Method::DELETE] {
            let request = app.request(method.clone(), &format!("/api/cache/{key}")).json(&json!(1));
            let answer = read(request.send().await.unwrap()).await;
            if method == Method::HEAD {
                assert_eq!(answer.status, 400, "{key}");
            } else {
                assert_eq!(answer.expect_errors(400, "invalid-parameter"), ["key"], "{method} {key}");
            }
        }
    }
    for path in ["/api/cache/", "/api/cache", "/api/cache/a/b", "/api/cache/stats/x"] {
        let answer = read(app.get(path).await).await;
        assert!([400, 404].contains(&answer.status.as_u16()), "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn a_put_replaces_value_and_ttl() {
    let app = App::spawn().await;
    let values =
        [json!(null), json!(true), json!(0), json!("text"), json!([]), json!({}), json!({"a": [1, {"b": "ü"}]})];
    for (ttl, value) in (100..).zip(&values) {
        let put = read(app.put_cached("a", &format!("?ttl={ttl}"), value).await).await;
        assert_eq!(put.expect_ok(), json!({"key": "a", "stored": true, "ttl": ttl}));
        let got = read(app.get_cached("a").await).await;
        assert!(got.is_hit() && (ttl - 5..=ttl).contains(&got.ttl()), "{got:?}");
        assert_eq!(got.expect_ok(), json!({"key": "a", "value": value}));
    }
    assert_eq!(read(app.put_cached("b", "", &json!(1)).await).await.expect_ok()["ttl"], 60, "unless told otherwise");
    let typed = app.cached(Method::PUT, "c", "").header("content-type", "application/json; charset=utf-8").body("1");
    assert_eq!(typed.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn head_tells_and_never_fills() {
    let app = App::spawn().await;
    for _ in 0..3 {
        let absent = read(app.head_cached("a").await).await;
        assert_eq!((absent.status.as_u16(), absent.body.as_str()), (404, ""));
    }
    let filled = read(app.get_cached("a").await).await;
    assert!(filled.is_stored(), "HEAD had filled it: {filled:?}");
    let there = read(app.head_cached("a").await).await;
    assert_eq!((there.status.as_u16(), there.body.as_str()), (200, ""));
    assert!((50..=60).contains(&there.ttl()), "{there:?}");
}

#[tokio::test]
async fn bodies_are_json_of_at_most_512_kib() {
    let app = App::spawn().await;
    let put = async |kind: Option<&str>, body: Vec<u8>| {
        let request = app.cached(Method::PUT, "a", "").body(body);
        let request = kind.into_iter().fold(request, |request, kind| request.header("content-type", kind));
        read(request.send().await.unwrap()).await
    };
    const JSON: Option<&str> = Some("application/json");
    let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2)).into_bytes();
    let largest = put(JSON, text(MAX_BYTES)).await;
    assert_eq!(largest.expect_ok()["stored"], true);
    let got = read(app.get_cached("a").await).await;
    assert_eq!(got.json()["value"].as_str().map(str::len), Some(MAX_BYTES - 2));

    put(JSON, text(MAX_BYTES + 1)).await.expect_problem(413, "content-too-large");
    for body in ["", "{", "{\"a\":}", "1 2", "nul", "{'a':1}", "[1,]", "\u{feff}1"] {
        put(JSON, body.into()).await.expect_problem(400, "malformed-json");
    }
    put(JSON, b"\"\xff\"".to_vec()).await.expect_problem(400, "malformed-json");
    for kind in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")] {
        put(kind, b"1".to_vec()).await.expect_problem(415, "unsupported-media-type");
    }
    let after = read(app.get_cached("a").await).await;
    assert!(after.is_hit() && after.body == got.body, "what was refused changed nothing");
}

#[tokio::test]
async fn a_deeply_nested_value_harms_nobody() {
    let app = App::spawn().await;
    let deep = ["[".repeat(100_000), "]".repeat(100_000)].concat();
    let put = app.cached(Method::PUT, "deep", "").header("content-type", "application/json").body(deep.clone());
    let answer = read(put.send().await.unwrap()).await;
    if answer.status == 200 {
        let got = read(app.get_cached("deep").await).await;
        assert!(got.status == 200 && got.is_hit() && got.body.contains(&deep), "{:?}", got.header("cache-status"));
    } else {
        answer.expect_problem(400, "malformed-json");
    }
    let other: Value = read(app.put_cached("a", "", &json!(1)).await).await.expect_ok();
    assert_eq!(other["stored"], true);
}
