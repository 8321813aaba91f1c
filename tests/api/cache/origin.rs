//! GET /api/cache/:key with an origin that fails, is slow or is down, and the requests that the origin receives.

use std::time::{Duration, Instant};

use blackbox::{App, Origin, Reply, entry_path, until, within};
use serde_json::json;

use super::VALUE_MAX;

#[tokio::test]
async fn failures_of_the_origin_are_reported_and_not_cached() {
    let origin = Origin::start().await;
    let app = App::builder().origin(&origin).spawn().await;
    let body = |bytes: usize| Reply::json(format!("\"{}\"", "x".repeat(bytes - 2)));
    let table = [
        ("s301", Reply::status(301)),
        ("s400", Reply::status(400)),
        ("s401", Reply::status(401)),
        ("s500", Reply::status(500)),
        ("s503", Reply::status(503)),
        ("html", Reply::Body(200, "text/html", b"<html>".to_vec())),
        ("text", Reply::json("not json")),
        ("cut", Reply::json("{\"a\":")),
        ("empty", Reply::json("")),
        ("bytes", Reply::Body(200, "application/json", b"\"\xff\"".to_vec())),
        ("large", body(VALUE_MAX + 1)),
        ("endless", Reply::Endless),
        ("broken", Reply::Broken),
        ("closed", Reply::Closed),
    ];
    for (key, reply) in table {
        origin.reply(&format!("/{key}"), reply);
        for _ in 0..2 {
            let get = async || app.get(entry_path(key)).await.expect_problem(502, "bad-gateway");
            within(Duration::from_secs(1), get).await;
        }
        assert_eq!(app.head(entry_path(key)).await.status(), 404, "{key}");
        origin.reply(&format!("/{key}"), Reply::json("1"));
        assert_eq!(app.get(entry_path(key)).await.expect_ok(), json!({"key": key, "value": 1}));
    }
    origin.reply("/largest", body(VALUE_MAX));
    let largest = app.get("/api/cache/largest").await;
    assert!(largest.is_stored() && largest.json()["value"].as_str().unwrap().len() == VALUE_MAX - 2);
}

#[tokio::test]
async fn a_value_that_the_origin_lacks_is_not_found() {
    let origin = Origin::start().await;
    let app = App::builder().origin(&origin).spawn().await;
    origin.reply("/a", Reply::status(404));
    for _ in 0..3 {
        app.get("/api/cache/a").await.expect_problem(404, "not-found");
    }
    assert_eq!(app.head("/api/cache/a").await.status(), 404, "there is no value");
    let found = app.post("/api/cache/mget").json(json!({"keys": ["a"]})).await;
    assert_eq!(found.expect_ok(), json!({"entries": {}, "missing": ["a"]}));
    // A value that is put is found at once.
    app.put("/api/cache/a").json(json!(1)).await;
    assert_eq!(app.get("/api/cache/a").await.expect_ok()["value"], 1);
    // An absence is cached only for a short time.
    within(Duration::from_secs(10), async || {
        origin.reply("/a", Reply::status(404));
        app.delete("/api/cache/a").await;
        app.get("/api/cache/a").await.expect_problem(404, "not-found");
        origin.reply("/a", Reply::json("2"));
        until("the value is found", async || app.get("/api/cache/a").await.status() != 404).await;
    })
    .await;
    assert_eq!(app.get("/api/cache/a").await.expect_ok()["value"], 2);
}

#[tokio::test]
async fn a_slow_origin_times_out() {
    let origin = Origin::start().await;
    let builder = App::builder().origin(&origin).default_deadlines();
    let app = builder.variable("cache_timeout_ms", "10000").spawn().await;
    app.put("/api/cache/cached").json(json!(1)).await;
    origin.hold();
    // 500 ms by default.
    within(Duration::from_secs(1), async || {
        let start = Instant::now();
        app.get("/api/cache/a").await.expect_problem(504, "gateway-timeout");
        assert!(start.elapsed() >= Duration::from_millis(450), "{:?}", start.elapsed());
    })
    .await;
    assert!(app.get("/api/cache/cached").await.is_hit(), "a cached value needs no origin");
    origin.release();
    app.get("/api/cache/a").await.expect_ok();
}

#[tokio::test]
async fn an_origin_that_is_down_is_a_bad_gateway() {
    let gone = {
        let origin = Origin::start().await;
        origin.url()
    };
    let app = App::builder().variable("cache_origin_url", &gone).spawn().await;
    let get = async || app.get("/api/cache/a").await.expect_problem(502, "bad-gateway");
    within(Duration::from_secs(1), get).await;
    assert_eq!(app.put("/api/cache/a").json(json!(1)).await.status(), 200);
    assert!(app.get("/api/cache/a").await.is_hit());
}

#[tokio::test]
async fn an_origin_that_is_not_allowed_is_not_contacted() {
    let origin = Origin::start().await;
    let builder = App::builder().origin(&origin);
    let app = builder.variable("cache_origin_egress", "http://example.com:80").spawn().await;
    let response = app.get("/api/cache/a").await;
    assert!([500, 502].contains(&response.status()), "{response:?}");
    assert_eq!(origin.count(), 0);
}

#[tokio::test]
async fn keys_reach_the_origin_encoded_and_below_its_path() {
    let origin = Origin::start().await;
    let base = format!("{}/base/of%20it", origin.url());
    let app = App::builder().variable("cache_origin_url", &base).variable("api_token", "secret").spawn().await;
    let keys =
        ["a", "a:b", "a/b", "/", "a b", "a?b=c", "#", "%", "%2F", "ä", "😀", "a&b", "a\nb", "\u{0}", "a+b", "\\"];
    for (number, key) in (1..).zip(keys) {
        let response = app.with_token("secret").get(entry_path(key)).header("cookie", "session=1").await;
        assert_eq!(response.expect_ok(), json!({"key": key, "value": {"request": number}}));
        let received = origin.requests().pop().unwrap();
        let encoded = received.line.strip_prefix("GET /base/of%20it/").unwrap_or_else(|| panic!("{received:?}"));
        assert_eq!(decoded(encoded), key.as_bytes(), "{received:?}");
        let plain = |c: char| c.is_ascii_alphanumeric() || "%-._~:@!$&'()*+,;=".contains(c);
        assert!(encoded.chars().all(plain), "{received:?}");
        let fields = received.headers.join("\n").to_ascii_lowercase();
        assert!(
            !fields.contains("secret") && !fields.contains("session"),
            "a client's header field was passed on: {received:?}"
        );
    }
    assert_eq!(origin.count(), keys.len());
}

/// The bytes that a percent-encoded text stands for.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
        decoded.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
    }
    decoded
}
