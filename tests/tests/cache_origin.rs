//! What becomes of a GET whose origin fails, each in its own way, and what the origin gets to see.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;

use std::time::{Duration, Instant};

use answer::read;
use blackbox::{App, Origin, Reply};
use reqwest::Method;
use serde_json::json;

const MAX_BYTES: usize = 512 * 1024;

#[tokio::test]
async fn failures_of_the_origin_are_told_and_not_cached() {
    let origin = Origin::start().await;
    let app = App::builder().variable("cache_origin_url", &origin.url()).spawn().await;
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
        ("large", body(MAX_BYTES + 1)),
        ("endless", Reply::Endless),
        ("broken", Reply::Broken),
        ("closed", Reply::Closed),
    ];
    for (key, reply) in table {
        origin.reply(&format!("/{key}"), reply);
        for _ in 0..2 {
            let start = Instant::now();
            let answer = read(app.get_cached(key).await).await;
            answer.expect_problem(502, "bad-gateway");
            assert!(start.elapsed() < Duration::from_secs(1), "{key}: {:?}", start.elapsed());
        }
        assert_eq!(app.head_cached(key).await.status(), 404, "{key}");
        origin.reply(&format!("/{key}"), Reply::json("1"));
        assert_eq!(read(app.get_cached(key).await).await.expect_ok(), json!({"key": key, "value": 1}));
    }
    origin.reply("/largest", body(MAX_BYTES));
    let largest = read(app.get_cached("largest").await).await;
    assert!(largest.is_stored() && largest.json()["value"].as_str().unwrap().len() == MAX_BYTES - 2);
}

#[tokio::test]
async fn what_the_origin_does_not_have_is_not_found() {
    let origin = Origin::start().await;
    let app = App::builder().variable("cache_origin_url", &origin.url()).spawn().await;
    origin.reply("/a", Reply::status(404));
    for _ in 0..3 {
        read(app.get_cached("a").await).await.expect_problem(404, "not-found");
    }
    assert_eq!(app.head_cached("a").await.status(), 404, "there is no value");
    let found = read(app.mget(&json!({"keys": ["a"]})).await).await;
    assert_eq!(found.expect_ok(), json!({"entries": {}, "missing": ["a"]}));
    // Whoever puts one is seen at once.
    app.put_cached("a", "", &json!(1)).await;
    assert_eq!(read(app.get_cached("a").await).await.expect_ok()["value"], 1);
    app.delete_cached("a").await;
    // And that there is none is soon asked again.
    read(app.get_cached("a").await).await.expect_problem(404, "not-found");
    origin.reply("/a", Reply::json("2"));
    let start = Instant::now();
    while app.get_cached("a").await.status() == 404 {
        assert!(start.elapsed() < Duration::from_secs(10), "an absence is remembered for too long");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(read(app.get_cached("a").await).await.expect_ok()["value"], 2);
}

#[tokio::test]
async fn a_slow_origin_is_given_up_in_time() {
    let origin = Origin::start().await;
    let app = App::builder().variable("cache_origin_url", &origin.url()).spawn().await;
    app.put_cached("cached", "", &json!(1)).await;
    origin.hold();
    let start = Instant::now();
    read(app.get_cached("a").await).await.expect_problem(504, "gateway-timeout");
    let waited = start.elapsed();
    assert!((450..1000).contains(&waited.as_millis()), "500 ms unless told otherwise: {waited:?}");
    assert!(read(app.get_cached("cached").await).await.is_hit(), "what is cached is answered");
    origin.release();
    read(app.get_cached("a").await).await.expect_ok();
}

#[tokio::test]
async fn an_origin_that_is_not_there_is_a_bad_gateway() {
    let gone = {
        let origin = Origin::start().await;
        origin.url()
    };
    let app = App::builder().variable("cache_origin_url", &gone).spawn().await;
    let start = Instant::now();
    read(app.get_cached("a").await).await.expect_problem(502, "bad-gateway");
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(app.put_cached("a", "", &json!(1)).await.status(), 200);
    assert!(read(app.get_cached("a").await).await.is_hit());
}

#[tokio::test]
async fn an_origin_outside_of_what_is_allowed_is_not_asked() {
    let origin = Origin::start().await;
    let builder = App::builder().variable("cache_origin_url", &origin.url());
    let app = builder.variable("cache_origin_egress", "http://example.com:80").spawn().await;
    let answer = read(app.get_cached("a").await).await;
    assert!([500, 502].contains(&answer.status.as_u16()), "{answer:?}");
    assert_eq!(origin.count(), 0);
}

#[tokio::test]
async fn keys_arrive_at_the_origin_encoded_and_below_its_path() {
    let origin = Origin::start().await;
    let base = format!("{}/base/of%20it", origin.url());
    let app = App::builder().variable("cache_origin_url", &base).variable("api_token", "secret").spawn().await;
    let keys =
        ["a", "a:b", "a/b", "/", "a b", "a?b=c", "#", "%", "%2F", "ä", "😀", "a&b", "a\nb", "\u{0}", "a+b", "\\"];
    for (number, key) in (1..).zip(keys) {
        let request = app.cached(Method::GET, key, "").bearer_auth("secret").header("cookie", "session=1");
        let answer = read(request.send().await.unwrap()).await;
        assert_eq!(answer.expect_ok(), json!({"key": key, "value": {"request": number}}));
        let asked = origin.requests().pop().unwrap();
        let encoded = asked.line.strip_prefix("GET /base/of%20it/").unwrap_or_else(|| panic!("{asked:?}"));
        assert_eq!(decoded(encoded), key.as_bytes(), "{asked:?}");
        let plain = |c: char| c.is_ascii_alphanumeric() || "%-._~:@!$&'()*+,;=".contains(c);
        assert!(encoded.chars().all(plain), "{asked:?}");
        let fields = asked.headers.join("\n").to_ascii_lowercase();
        assert!(
            !fields.contains("secret") && !fields.contains("session"),
            "a client's header was passed on: {asked:?}"
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
