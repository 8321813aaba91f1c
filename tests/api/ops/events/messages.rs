//! POST /api/publish/:channel and GET /api/events?channel=: messages of applications.

use std::time::Duration;

use blackbox::App;
use futures_util::StreamExt;
use serde_json::{Value, json};

use super::{MESSAGES, expect_cloud_event, expect_events, follow, resume};

#[tokio::test]
async fn a_message_reaches_the_readers_of_its_channel() {
    let app = App::spawn().await;
    let mut orders = follow(&app, "?channel=orders").await;
    let mut others = follow(&app, "?channel=orders.eu").await;
    let mut events = follow(&app, "").await;
    let values =
        [json!({"order": 17, "state": "paid"}), json!([1, "ä"]), json!("text"), json!(1.5), json!(null), json!(false)];
    for value in &values {
        let response = app.post("/api/publish/orders").json(value).await;
        assert_eq!((response.status(), response.header("content-type")), (202, "application/json"), "{response:?}");
        assert_eq!(response.header("cache-control"), "no-store");
        let event = orders.expect_next().await;
        assert_eq!(event.kind, "tumbler.message");
        let data = event.json();
        // `null` is a value of data, too.
        let mut complete = data.clone();
        if value.is_null() {
            complete["data"] = json!("null");
        }
        expect_cloud_event(&complete, data["source"].as_str().unwrap());
        assert_eq!((&data["subject"], &data["data"]), (&json!("orders"), value));
        assert_eq!(response.json(), json!({"id": data["id"]}));
        assert!(data["traceparent"].as_str().is_some_and(|trace| trace.contains(response.trace_id())), "{data}");
    }
    app.post("/api/publish/orders.eu").json(json!("other")).await.expect_success();
    assert_eq!(others.expect_next().await.json()["data"], "other");
    drop((orders, others));
    // Messages are no events.
    let id = app.given_user_id("ada").await;
    assert_eq!(events.expect_next().await.json()["subject"], format!("users/{id}"));
    drop(events);
    expect_events(&app, &[("tumbler.user.created", format!("users/{id}"))]).await;
    assert_eq!(app.redis.stream(MESSAGES).await.len(), values.len() + 1);
}

#[tokio::test]
async fn a_reader_of_a_channel_resumes() {
    let app = App::spawn().await;
    let mut stream = follow(&app, "?channel=orders").await;
    let publish = async |channel: &str, value: u64| {
        app.post(format!("/api/publish/{channel}")).json(json!(value)).await.expect_success();
    };
    for value in 0..5 {
        publish("orders", value).await;
        publish("noise", value).await;
    }
    for value in 0..2 {
        assert_eq!(stream.expect_next().await.json()["data"], value);
    }
    let id = stream.last_id().to_owned();
    let mut again = resume(&app, "?channel=orders", &id).await;
    publish("orders", 5).await;
    for value in 2..=5 {
        assert_eq!(again.expect_next().await.json()["data"], value);
    }
}

#[tokio::test]
async fn a_message_is_published_on_its_channel_in_redis() {
    let app = App::spawn().await;
    let mut channel = app.redis.client().get_async_pubsub().await.unwrap();
    channel.subscribe("tumbler:channel:orders:eu_1.x-y").await.unwrap();
    let mut published = channel.on_message();
    let response = app.post("/api/publish/orders:eu_1.x-y").json(json!({"n": 1})).await;
    let message = tokio::time::timeout(Duration::from_secs(90), published.next()).await;
    let event: Value = serde_json::from_slice(message.unwrap().unwrap().get_payload_bytes()).unwrap();
    assert_eq!((&event["id"], &event["data"]), (&response.json()["id"], &json!({"n": 1})));
}

#[tokio::test]
async fn large_and_odd_messages_arrive_unchanged() {
    let app = App::spawn().await;
    let mut stream = follow(&app, "?channel=odd").await;
    let largest = format!("\"{}\"", "x".repeat(64 * 1024 - 2));
    let deep = format!("{}{}", "[".repeat(60), "]".repeat(60));
    let bodies = [
        largest.as_str(),
        "{\n  \"lines\": \"a\\nb\",\r\n \"n\": 1\n}",
        "\"id: 1-0\\ndata: fake\\n\\n\"",
        "\"\\u2028 \\u0000 \u{1F600}\"",
        "12345678901234567890",
        &deep,
    ];
    for body in bodies {
        let response = app.post("/api/publish/odd").json_text(body).await;
        assert_eq!(response.status(), 202, "{response:?}");
        let event = stream.expect_next().await;
        let expected: Value = serde_json::from_str(body).unwrap();
        assert_eq!(event.json()["data"], expected, "{}", &body[..body.len().min(100)]);
    }
}

#[tokio::test]
async fn a_message_of_any_depth_stops_no_reader() {
    let app = App::spawn().await;
    let mut stream = follow(&app, "?channel=deep").await;
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let response = app.post("/api/publish/deep").json_text(deep.clone()).await;
    assert!([202, 400].contains(&response.status()), "{response:?}");
    app.post("/api/publish/deep").json(json!("next")).await.expect_success();
    if response.status() == 202 {
        let event = stream.expect_next().await;
        assert!(event.data.contains(&deep), "{} bytes", event.data.len());
    }
    assert_eq!(stream.expect_next().await.json()["data"], "next");
}
