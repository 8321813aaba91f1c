//! GET /api/events: events come as Server-Sent Events, from now on.

use std::time::Duration;

use blackbox::{App, within};

use super::{emit, expect_cloud_event, expect_numbers, follow, number, recorded};

#[tokio::test]
async fn events_come_from_now_on() {
    let app = App::spawn().await;
    for number in 0..5 {
        emit(&app, number).await;
    }
    // What was published before the response began does not come.
    blackbox::until("the events are there", async || recorded(&app).await.len() == 5).await;
    let mut stream = follow(&app, "").await;
    for number in 5..30 {
        emit(&app, number).await;
    }
    expect_numbers(&mut stream, 5, 29).await;
    assert_eq!(stream.retry_ms(), Some(1_000));
}

#[tokio::test]
async fn an_event_has_its_id_type_and_data() {
    let app = App::spawn().await;
    let mut stream = follow(&app, "").await;
    let id = app.given_user_id("ada").await;
    let event = stream.expect_next().await;
    assert_eq!(event.kind, "tumbler.user.created");
    let data = event.json();
    expect_cloud_event(&data, "/users");
    assert_eq!((data["subject"].as_str(), data["version"].as_i64()), (Some(format!("users/{id}").as_str()), Some(1)));
    let entries = app.redis.stream(super::EVENTS).await;
    assert_eq!(entries, [(event.id, data)], "the id is that of the entry");
}

#[tokio::test]
async fn the_response_is_never_stored() {
    let app = App::spawn().await;
    let stream = follow(&app, "").await;
    assert_eq!(stream.header("cache-control"), "no-store");
    assert_eq!(stream.header("content-length"), "");
}

#[tokio::test]
async fn an_event_comes_soon() {
    let app = App::spawn().await;
    let mut stream = follow(&app, "").await;
    let mut sent = 0;
    within(Duration::from_secs(2), async || {
        emit(&app, sent).await;
        sent += 1;
        while number(&stream.expect_next().await) + 1 != sent {}
    })
    .await;
}

#[tokio::test]
async fn all_readers_of_all_hosts_get_all_events_in_the_same_order() {
    let app = App::builder().instance_per_request().spawn().await;
    let (_host, other) = app.second_host().await;
    let mut streams = Vec::new();
    for _ in 0..5 {
        streams.push(follow(&app, "").await);
        streams.push(other.get("/api/events").open().await);
    }
    let mut first = streams.pop().unwrap();
    // Writes at the same time: their order in the stream is the order for everybody.
    let writes = (0..40).map(|number| emit(&app, number));
    futures_util::future::join_all(writes).await;
    let mut order = Vec::new();
    for _ in 0..40 {
        order.push(first.expect_next().await);
    }
    for mut stream in streams {
        for expected in &order {
            assert_eq!(stream.expect_next().await, *expected);
        }
    }
}

#[tokio::test]
async fn silence_is_interrupted_by_heartbeats() {
    let app = App::spawn().await;
    let mut stream = follow(&app, "").await;
    let start = std::time::Instant::now();
    for _ in 0..2 {
        stream.expect_comment("heartbeat").await;
    }
    assert!(start.elapsed() > Duration::from_secs(20), "every 15 s, not two in {:?}", start.elapsed());
    emit(&app, 1).await;
    expect_numbers(&mut stream, 1, 1).await;
}
