//! Events while Redis is down or hangs: they come when it is back. No response waits for them.

use std::time::Duration;

use blackbox::{App, until, within};
use serde_json::json;

use super::{expect_events, follow, recorded};

#[tokio::test]
async fn events_of_an_outage_come_when_redis_is_back() {
    let mut app = App::spawn().await;
    let mut expected = Vec::new();
    app.redis.kill().await.unwrap();
    for name in ["ada", "bob", "eve"] {
        let id = app.given_user_id(name).await;
        expected.push(("tumbler.user.created", format!("users/{id}")));
    }
    app.redis.restart().await.unwrap();
    until("the events come", async || recorded(&app).await.len() >= 3).await;
    // They may come twice, with the same id.
    let mut events = recorded(&app).await;
    events.sort_by_key(|event| event["id"].to_string());
    events.dedup_by_key(|event| event["id"].to_string());
    let mut found: Vec<_> = events.iter().map(|event| event["subject"].as_str().unwrap().to_owned()).collect();
    found.sort();
    let mut subjects: Vec<_> = expected.into_iter().map(|(_, subject)| subject).collect();
    subjects.sort();
    assert_eq!(found, subjects);
}

#[tokio::test]
async fn a_redis_that_hangs_delays_no_write_and_loses_no_event() {
    let app = App::builder().default_deadlines().spawn().await;
    let first = app.given_user_id("ada").await;
    until("Redis is used", async || recorded(&app).await.len() == 1).await;
    app.redis.pause();
    let mut number = 0;
    let mut subjects = vec![format!("users/{first}")];
    // Each step of a write has a deadline of 100 ms.
    within(Duration::from_secs(2), async || {
        number += 1;
        let id = app.given_user_id(&format!("user-{number}")).await;
        subjects.push(format!("users/{id}"));
    })
    .await;
    app.redis.resume();
    until("the events come", async || {
        let events = recorded(&app).await;
        subjects.iter().all(|subject| events.iter().any(|event| event["subject"] == *subject))
    })
    .await;
}

#[tokio::test]
async fn a_reader_survives_an_outage() {
    let mut app = App::spawn().await;
    let mut stream = follow(&app, "?type=tumbler.user.created").await;
    let id = app.given_user_id("ada").await;
    assert_eq!(stream.expect_next().await.json()["subject"], format!("users/{id}"));
    app.redis.kill().await.unwrap();
    let during = app.given_user_id("bob").await;
    app.redis.restart().await.unwrap();
    // The stream was lost with Redis.
    let mut seen = Vec::new();
    while seen.last() != Some(&format!("users/{during}")) {
        let event = stream.expect_next().await;
        if event.kind != "gap" {
            seen.push(event.json()["subject"].as_str().unwrap().to_owned());
        }
    }
}

#[tokio::test]
async fn without_redis_a_reader_and_a_message_are_refused() {
    let mut app = App::spawn().await;
    app.redis.kill().await.unwrap();
    app.get("/api/events").await.expect_unavailable();
    app.post("/api/publish/orders").json(json!(1)).await.expect_unavailable();
    app.redis.restart().await.unwrap();
    until("messages are taken again", async || app.post("/api/publish/orders").json(json!(2)).await.status() == 202)
        .await;
    expect_events(&app, &[]).await;
}
