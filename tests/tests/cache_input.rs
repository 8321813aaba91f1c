//! Bodies that the cache component refuses, each with its own clear problem that names what is wrong, and
//! nothing stored or removed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;
mod kept;

use answer::{Answer, read};
use blackbox::App;
use kept::{app, expect_untouched};
use reqwest::Method;
use serde_json::{Map, Value, json};

const POSTS: [&str; 4] = ["warm", "invalidate", "mget", "mset"];

async fn post(app: &App, route: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
    let request = app.request(Method::POST, &format!("/api/cache/{route}")).header("content-type", content_type);
    read(request.body(body.into()).send().await.unwrap()).await
}

#[tokio::test]
async fn what_is_not_json() {
    let app = app().await;
    for route in POSTS {
        for bad in [&b""[..], b" ", b"{", b"{\"keys\":[\"a\"],}", b"key=a", b"{\"key\":\"a\"} {}"] {
            post(&app, route, "application/json", bad).await.expect_problem(400, "malformed-json");
        }
        let deep = format!("{{\"keys\":{}", "[".repeat(10_000));
        post(&app, route, "application/json", deep).await.expect_problem(400, "malformed-json");
        for media_type in ["text/plain", "application/x-www-form-urlencoded", ""] {
            let answer = post(&app, route, media_type, "{\"key\":\"kept\"}").await;
            assert_eq!(answer.expect_errors(415, "unsupported-media-type"), ["content-type"], "{route}");
        }
        for other in ["null", "1", "\"a\"", "[]", "[[\"a\"]]"] {
            let answer = post(&app, route, "application/json", other).await;
            assert_eq!(answer.expect_errors(422, "validation"), [""], "{route} {other}");
        }
    }
    let no_text: [(&str, &[u8]); 5] = [
        ("warm", b"{\"keys\":[\"\xff\"]}"),
        ("invalidate", b"{\"key\":\"\xc3\"}"),
        ("mget", b"{\"keys\":[\"\xff\"]}"),
        ("mset", b"{\"entries\":{\"a\":\"\xff\"}}"),
        ("mset", b"{\"entries\":{\"\xff\":1}}"),
    ];
    for (route, bad) in no_text {
        post(&app, route, "application/json", bad).await.expect_problem(400, "malformed-json");
    }
    expect_untouched(&app).await;
}

#[tokio::test]
async fn members_that_are_wrong() {
    let app = app().await;
    let long = "k".repeat(513);
    let table = [
        ("warm", json!({}), vec!["/keys"]),
        ("warm", json!({"keys": []}), vec!["/keys"]),
        ("warm", json!({"keys": "a"}), vec!["/keys"]),
        ("warm", json!({"keys": null}), vec!["/keys"]),
        ("warm", json!({"keys": ["a", 1]}), vec!["/keys/1"]),
        ("warm", json!({"keys": ["a", "", "b", long]}), vec!["/keys/1", "/keys/3"]),
        ("warm", json!({"keys": ["a"], "TTL": 5}), vec!["/TTL"]),
        ("mget", json!({}), vec!["/keys"]),
        ("mget", json!({"keys": []}), vec!["/keys"]),
        ("mget", json!({"keys": [null]}), vec!["/keys/0"]),
        ("mget", json!({"keys": ["a"], "ttl": 5}), vec!["/ttl"]),
        ("mget", json!({"keys": [long]}), vec!["/keys/0"]),
        ("mset", json!({}), vec!["/entries"]),
        ("mset", json!({"entries": {}}), vec!["/entries"]),
        ("mset", json!({"entries": [["a", 1]]}), vec!["/entries"]),
        ("mset", json!({"entries": {"a": 1}, "keys": ["a"]}), vec!["/keys"]),
        ("mset", json!({"entries": {"a": 1, long.clone(): 1}}), vec!["/entries"]),
        ("mset", json!({"entries": {"a": 1, "": 1}}), vec!["/entries"]),
        ("invalidate", json!({}), vec![""]),
        ("invalidate", json!({"key": "kept", "pattern": "*"}), vec!["/key", "/pattern"]),
        ("invalidate", json!({"key": "kept", "module": "kv"}), vec!["/key", "/module"]),
        ("invalidate", json!({"pattern": "*", "userId": 1}), vec!["/pattern", "/userId"]),
        ("invalidate", json!({"module": "kv", "userId": 1}), vec!["/module", "/userId"]),
        ("invalidate", json!({"operation": "get"}), vec!["/operation"]),
        ("invalidate", json!({"key": "kept", "operation": "get"}), vec!["/operation"]),
        ("invalidate", json!({"keys": ["kept"]}), vec!["/keys"]),
        ("invalidate", json!({"key": ""}), vec!["/key"]),
        ("invalidate", json!({"key": long}), vec!["/key"]),
        ("invalidate", json!({"key": 5}), vec!["/key"]),
        ("invalidate", json!({"key": null}), vec!["/key"]),
        ("invalidate", json!({"pattern": ""}), vec!["/pattern"]),
        ("invalidate", json!({"pattern": long}), vec!["/pattern"]),
        ("invalidate", json!({"pattern": ["*"]}), vec!["/pattern"]),
        ("invalidate", json!({"module": ""}), vec!["/module"]),
        ("invalidate", json!({"module": "*"}), vec!["/module"]),
        ("invalidate", json!({"module": "kv:get"}), vec!["/module"]),
        ("invalidate", json!({"module": "k v"}), vec!["/module"]),
        ("invalidate", json!({"module": "m".repeat(65)}), vec!["/module"]),
        ("invalidate", json!({"module": "kv", "operation": "*"}), vec!["/operation"]),
        ("invalidate", json!({"module": "kv", "operation": ""}), vec!["/operation"]),
        ("invalidate", json!({"userId": 0}), vec!["/userId"]),
        ("invalidate", json!({"userId": -1}), vec!["/userId"]),
        ("invalidate", json!({"userId": 1.5}), vec!["/userId"]),
        ("invalidate", json!({"userId": "abc"}), vec!["/userId"]),
        ("invalidate", json!({"userId": ""}), vec!["/userId"]),
        ("invalidate", json!({"userId": "9223372036854775808"}), vec!["/userId"]),
    ];
    for (route, body, places) in table {
        let answer = post(&app, route, "application/json", body.to_string()).await;
        assert_eq!(answer.expect_errors(422, "validation"), places, "{route} {body}");
    }
    let doubled = post(&app, "invalidate", "application/json", r#"{"key":"a","key":"kept"}"#).await;
    assert_eq!(doubled.expect_errors(422, "validation"), [""]);
    let doubled = post(&app, "mset", "application/json", r#"{"entries":{"a":1,"a":2}}"#).await;
    assert_eq!(doubled.expect_errors(422, "validation"), ["/entries/a"]);
    expect_untouched(&app).await;
}

#[tokio::test]
async fn a_thousand_keys_and_no_more() {
    let app = app().await;
    let many: Vec<String> = (0..1001).map(|number| format!("n{number}")).collect();
    for route in ["warm", "mget"] {
        let answer = post(&app, route, "application/json", json!({"keys": many}).to_string()).await;
        assert_eq!(answer.expect_errors(422, "validation"), ["/keys"], "{route}");
    }
    let entries: Map<String, Value> = many.into_iter().map(|key| (key, json!(1))).collect();
    let answer = post(&app, "mset", "application/json", json!({"entries": entries}).to_string()).await;
    assert_eq!(answer.expect_errors(422, "validation"), ["/entries"]);
    let stats = read(app.admin_cache(Method::GET, "/stats").await).await.expect_ok();
    assert_eq!(stats["totalKeys"], 1);
}

#[tokio::test]
async fn bodies_that_are_too_large() {
    let app = app().await;
    let limits = [("mset", 8 << 20), ("mget", 4 << 20), ("warm", 4 << 20), ("invalidate", 16 << 10)];
    for (route, limit) in limits {
        let problem = declare(&app, route, limit + 1).await;
        assert!(problem.starts_with("HTTP/1.1 413 "), "{route}: {problem}");
        let (_, body) = problem.split_once("\r\n\r\n").unwrap();
        let problem: Value = serde_json::from_str(body).unwrap();
        assert_eq!((&problem["type"], &problem["limitBytes"]), (&json!("/problems/content-too-large"), &json!(limit)));
        let body = [b"{}".to_vec(), vec![b' '; limit - 2]].concat();
        post(&app, route, "application/json", body).await.expect_problem(422, "validation");
    }
    expect_untouched(&app).await;
}

/// The answer to a POST that says how long its body is and does not send it: whoever sends all of a body that nobody
/// reads may find the connection closed, and never see the answer.
async fn declare(app: &App, route: &str, length: usize) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(app.host.address()).await.unwrap();
    let head = format!(
        "POST /api/cache/{route} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n",
        app.host.address()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "{}", String::from_utf8_lossy(&answer));
    }
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn times_to_live_that_are_none() {
    let app = app().await;
    let bad = ["0", "-1", "1.5", "\"60\"", "null", "2592001", "99999999999999999999", "true", "[60]", "\"abc\""];
    for ttl in bad {
        for (route, member) in [("warm", "\"keys\":[\"a\"]"), ("mset", "\"entries\":{\"a\":1}")] {
            let body = format!("{{{member},\"ttl\":{ttl}}}");
            let answer = post(&app, route, "application/json", body).await;
            assert_eq!(answer.expect_errors(422, "validation"), ["/ttl"], "{route} {ttl}");
        }
    }
    expect_untouched(&app).await;
}
