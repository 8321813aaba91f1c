//! Bodies that the cache component refuses. Each response names what is wrong, and nothing is stored or removed.

use blackbox::{App, Response};
use serde_json::{Map, Value, json};

use super::{app_with_one_entry, expect_untouched, stats};

const POSTS: [&str; 4] = ["warm", "invalidate", "mget", "mset"];

async fn post(app: &App, route: &str, body: impl Into<Vec<u8>>) -> Response {
    app.post(format!("/api/cache/{route}")).json_text(body).await
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused() {
    let app = app_with_one_entry().await;
    for route in POSTS {
        for bad in [&b""[..], b" ", b"{", b"{\"keys\":[\"a\"],}", b"key=a", b"{\"key\":\"a\"} {}"] {
            post(&app, route, bad).await.expect_problem(400, "malformed-json");
        }
        let deep = format!("{{\"keys\":{}", "[".repeat(10_000));
        post(&app, route, deep).await.expect_problem(400, "malformed-json");
        for media_type in ["text/plain", "application/x-www-form-urlencoded", ""] {
            let request = app.post(format!("/api/cache/{route}")).header("content-type", media_type);
            let response = request.body("{\"key\":\"kept\"}").await;
            assert_eq!(response.expect_errors(415, "unsupported-media-type"), ["content-type"], "{route}");
        }
        for other in ["null", "1", "\"a\"", "[]", "[[\"a\"]]"] {
            let response = post(&app, route, other).await;
            assert_eq!(response.expect_errors(422, "validation"), [""], "{route} {other}");
        }
    }
    let not_utf8: [(&str, &[u8]); 5] = [
        ("warm", b"{\"keys\":[\"\xff\"]}"),
        ("invalidate", b"{\"key\":\"\xc3\"}"),
        ("mget", b"{\"keys\":[\"\xff\"]}"),
        ("mset", b"{\"entries\":{\"a\":\"\xff\"}}"),
        ("mset", b"{\"entries\":{\"\xff\":1}}"),
    ];
    for (route, bad) in not_utf8 {
        post(&app, route, bad).await.expect_problem(400, "malformed-json");
    }
    expect_untouched(&app).await;
}

#[tokio::test]
async fn an_invalid_member_is_refused_and_named() {
    let app = app_with_one_entry().await;
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
        ("mset", json!({"entries": [["a", 1]]}), vec!["/entries/0"]),
        ("mset", json!({"entries": "a"}), vec!["/entries"]),
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
        ("invalidate", json!({"pattern": "*a".repeat(9)}), vec!["/pattern"]),
        ("invalidate", json!({"pattern": "*[a-z]".repeat(64)}), vec!["/pattern"]),
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
        ("invalidate", json!({"userId": ""}), vec!["/userId"]),
        ("invalidate", json!({"userId": "x".repeat(129)}), vec!["/userId"]),
        ("invalidate", json!({"userId": {}}), vec!["/userId"]),
    ];
    for (route, body, places) in table {
        let response = post(&app, route, body.to_string()).await;
        assert_eq!(response.expect_errors(422, "validation"), places, "{route} {body}");
    }
    let duplicate = post(&app, "invalidate", r#"{"key":"a","key":"kept"}"#).await;
    assert_eq!(duplicate.expect_errors(422, "validation"), [""]);
    let duplicate = post(&app, "mset", r#"{"entries":{"a":1,"a":2}}"#).await;
    assert_eq!(duplicate.expect_errors(422, "validation"), ["/entries/a"]);
    expect_untouched(&app).await;
}

#[tokio::test]
async fn more_than_a_thousand_keys_are_refused() {
    let app = app_with_one_entry().await;
    let many: Vec<String> = (0..1001).map(|number| format!("n{number}")).collect();
    for route in ["warm", "mget"] {
        let response = post(&app, route, json!({"keys": many}).to_string()).await;
        assert_eq!(response.expect_errors(422, "validation"), ["/keys"], "{route}");
    }
    let entries: Map<String, Value> = many.into_iter().map(|key| (key, json!(1))).collect();
    let response = post(&app, "mset", json!({"entries": entries}).to_string()).await;
    assert_eq!(response.expect_errors(422, "validation"), ["/entries"]);
    assert_eq!(stats(&app).await["totalKeys"], 1);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let app = app_with_one_entry().await;
    let limits = [("mset", 8 << 20), ("mget", 4 << 20), ("warm", 4 << 20), ("invalidate", 16 << 10)];
    for (route, limit) in limits {
        let problem = declare(&app, route, limit + 1).await;
        assert!(problem.starts_with("HTTP/1.1 413 "), "{route}: {problem}");
        let (_, body) = problem.split_once("\r\n\r\n").unwrap();
        let problem: Value = serde_json::from_str(body).unwrap();
        assert_eq!((&problem["type"], &problem["limitBytes"]), (&json!("/problems/content-too-large"), &json!(limit)));
        let body = [b"{}".to_vec(), vec![b' '; limit - 2]].concat();
        post(&app, route, body).await.expect_problem(422, "validation");
    }
    expect_untouched(&app).await;
}

/// The response to a POST that announces the length of its body and sends at most 64 KiB of it: our host waits for so
/// much. A client that sends a longer body may find the connection closed before it can read the response.
async fn declare(app: &App, route: &str, length: usize) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(app.host.address()).await.unwrap();
    let head = format!(
        "POST /api/cache/{route} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n",
        app.host.address()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b' '; length.min(64 << 10)]).await.unwrap();
    let mut response = Vec::new();
    while !response.ends_with(b"}") {
        assert!(stream.read_buf(&mut response).await.unwrap() > 0, "{}", String::from_utf8_lossy(&response));
    }
    String::from_utf8(response).unwrap()
}

#[tokio::test]
async fn an_invalid_ttl_is_refused() {
    let app = app_with_one_entry().await;
    let bad = ["0", "-1", "1.5", "\"60\"", "null", "2592001", "99999999999999999999", "true", "[60]", "\"abc\""];
    for ttl in bad {
        for (route, member) in [("warm", "\"keys\":[\"a\"]"), ("mset", "\"entries\":{\"a\":1}")] {
            let body = format!("{{{member},\"ttl\":{ttl}}}");
            let response = post(&app, route, body).await;
            assert_eq!(response.expect_errors(422, "validation"), ["/ttl"], "{route} {ttl}");
        }
    }
    expect_untouched(&app).await;
}
