//! Keys of /api/cache/:key, also unusual ones, and those that are refused.

use blackbox::{App, entry_path, percent_encoded};
use reqwest::Method;
use serde_json::json;

/// Keys that a careless program could confuse with each other, cut or misread.
fn unusual_keys() -> Vec<String> {
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
async fn unusual_keys_are_stored_and_kept_apart() {
    let app = App::spawn().await;
    let keys = unusual_keys();
    for (number, key) in keys.iter().enumerate() {
        let put = app.put(entry_path(key) + "?ttl=1000").json(json!(number)).await;
        assert_eq!(put.expect_ok(), json!({"key": key, "stored": true, "ttl": 1000}));
    }
    for (number, key) in keys.iter().enumerate() {
        let got = app.get(entry_path(key)).await;
        assert_eq!(got.expect_ok(), json!({"key": key, "value": number}));
        assert!(got.is_hit() && (900..=1000).contains(&got.ttl()), "{got:?}");
        let head = app.head(entry_path(key)).await;
        assert!(head.status() == 200 && (900..=1000).contains(&head.ttl()), "{key:?}: {head:?}");
    }
    for key in &keys {
        let deleted = app.delete(entry_path(key)).await;
        assert_eq!(deleted.expect_ok(), json!({"key": key, "deleted": true}));
        assert_eq!(app.head(entry_path(key)).await.status(), 404, "{key:?}");
        let again = app.delete(entry_path(key)).await;
        assert_eq!(again.expect_ok(), json!({"key": key, "deleted": false}));
    }
}

#[tokio::test]
async fn percent_encoding_is_not_part_of_a_key() {
    let app = App::spawn().await;
    assert_eq!(app.put("/api/cache/abc").json(json!("abc")).await.status(), 200);
    for path in ["/api/cache/abc", "/api/cache/%61bc", "/api/cache/%61%62%63"] {
        assert_eq!(app.get(path).await.expect_ok(), json!({"key": "abc", "value": "abc"}), "{path}");
    }
    // Colons need no encoding, and a plus sign is a plus sign.
    for (path, key) in [("/api/cache/a:b", "a:b"), ("/api/cache/a+b", "a+b"), ("/api/cache/a%2fb", "a/b")] {
        assert_eq!(app.get(path).await.expect_ok()["key"], key);
    }
}

#[tokio::test]
async fn a_key_named_like_a_route_is_reached_with_a_letter_encoded() {
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
        let put = app.put(&path).json(json!(word)).await;
        assert_eq!(put.expect_ok()["key"], word);
        assert_eq!(app.get(&path).await.expect_ok(), json!({"key": word, "value": word}));
        let deleted = app.delete(&path).await;
        assert_eq!(deleted.expect_ok(), json!({"key": word, "deleted": true}));
    }
}

#[tokio::test]
async fn keys_that_are_too_long_or_not_text_are_refused() {
    let app = App::spawn().await;
    let mut bad = vec!["%ff".to_owned(), "%C3".to_owned(), "a%zz".to_owned(), "a%2".to_owned(), "a%".to_owned()];
    bad.extend([percent_encoded(&"k".repeat(513)), percent_encoded(&"ж".repeat(257))]);
    for key in bad {
        for method in [Method::GET, Method::PUT, Method::HEAD, Method::DELETE] {
            let response = app.request(method.clone(), format!("/api/cache/{key}")).json(json!(1)).await;
            if method == Method::HEAD {
                assert_eq!(response.status(), 400, "{key}");
            } else {
                assert_eq!(response.expect_errors(400, "invalid-parameter"), ["key"], "{method} {key}");
            }
        }
    }
    for path in ["/api/cache/", "/api/cache", "/api/cache/a/b", "/api/cache/stats/x"] {
        let response = app.get(path).await;
        assert!([400, 404].contains(&response.status()), "{path}: {response:?}");
    }
}
