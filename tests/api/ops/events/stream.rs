//! The stream and the channel in Redis, for programs that read Redis themselves.

use std::time::Duration;

use blackbox::{App, until};
use futures_util::StreamExt;
use serde_json::{Value, json};

use super::{EVENTS, MESSAGES, expect_events, recorded};

#[tokio::test]
async fn each_event_is_in_the_stream_and_then_on_the_channel() {
    let app = App::spawn().await;
    let mut channel = app.redis.client().get_async_pubsub().await.unwrap();
    channel.subscribe(EVENTS).await.unwrap();
    let mut published = channel.on_message();
    for name in ["ada", "bob", "eve"] {
        let id = app.given_user_id(name).await;
        let message = tokio::time::timeout(Duration::from_secs(90), published.next()).await;
        let event: Value = serde_json::from_slice(message.unwrap().unwrap().get_payload_bytes()).unwrap();
        assert_eq!(event["subject"], format!("users/{id}"));
        // Who is woken by the channel finds the event in the stream.
        assert_eq!(recorded(&app).await.last(), Some(&event));
    }
    let fields: redis::Value = app.redis.ask(&["XRANGE", EVENTS, "-", "+", "COUNT", "1"]).await;
    let text = format!("{fields:?}");
    assert!(text.contains("event"), "the field is called event: {text}");
}

#[tokio::test]
async fn streams_are_capped() {
    const KEPT: u64 = 100;
    // Redis removes entries in blocks of 100.
    const BLOCK: u64 = 100;
    let app = App::builder().variable("events_max_length", &KEPT.to_string()).spawn().await;
    for batch in 0..2 {
        let one = |number: usize| json!({"name": "Somebody", "email": format!("{batch}-{number}@example.org")});
        let created = app.post("/users/batch").json(Value::Array((0..500).map(one).collect())).await;
        assert_eq!(created.status(), 201);
        for number in 0..300 {
            app.post("/api/publish/orders").json(json!(number)).await.expect_success();
        }
    }
    let last = app.given_user_id("last").await;
    until("the last event is there", async || {
        recorded(&app).await.last().is_some_and(|event| event["subject"] == format!("users/{last}"))
    })
    .await;
    for stream in [EVENTS, MESSAGES] {
        let length: u64 = app.redis.ask(&["XLEN", stream]).await;
        assert!((KEPT..=KEPT + 2 * BLOCK).contains(&length), "{stream}: {length}");
    }
}

#[tokio::test]
async fn with_a_length_of_zero_there_are_no_events() {
    let app = App::builder().variable("events_max_length", "0").spawn().await;
    let seller = app.given_seller("ada").await;
    seller.given(&["verify"]).await;
    app.put("/api/cache/a").json(json!(1)).await.expect_success();
    expect_events(&app, &[]).await;
    let keys = app.redis.keys().await;
    assert!(!keys.iter().any(|key| key == EVENTS), "{keys:?}");
}

#[tokio::test]
async fn an_invalid_setting_is_logged_and_every_request_fails() {
    let table = [
        ("events_max_length", "-1", vec!["/users", "/sellers", "/api/cache/a", "/api/cache/lock/a", "/health"]),
        ("events_max_length", "many", vec!["/users", "/sellers", "/api/cache/a", "/api/cache/lock/a", "/health"]),
        ("events_max_seconds", "0", vec!["/api/events"]),
        ("events_max_seconds", "5m", vec!["/api/events"]),
    ];
    for (name, value, paths) in table {
        let app = App::builder().variable(name, value).spawn().await;
        for path in paths {
            app.get(path).await.expect_problem(500, "internal");
        }
        let log = app.host.output();
        assert!(log.contains(&format!("the variable {name} must be")), "{name}={value}: {log}");
    }
}
