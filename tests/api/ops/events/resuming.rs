//! `Last-Event-ID`: a reader that connects again misses nothing, whatever happened meanwhile, or learns that it may
//! have.

use blackbox::{App, EventStream, until};

use super::{emit, expect_numbers, follow, number, recorded, resume};

#[tokio::test]
async fn a_reader_continues_after_its_last_event() {
    let app = App::spawn().await;
    let mut stream = follow(&app, "").await;
    for number in 0..10 {
        emit(&app, number).await;
    }
    expect_numbers(&mut stream, 0, 4).await;
    let id = stream.last_id().to_owned();
    drop(stream);
    for number in 10..20 {
        emit(&app, number).await;
    }
    expect_numbers(&mut resume(&app, "", &id).await, 5, 19).await;
    // The parameter does the same. The header field, which browsers send, counts more.
    expect_numbers(&mut follow(&app, &format!("?lastEventId={id}")).await, 5, 19).await;
    expect_numbers(&mut resume(&app, "?lastEventId=0", &id).await, 5, 19).await;
    expect_numbers(&mut follow(&app, "?lastEventId=0").await, 0, 19).await;
}

#[tokio::test]
async fn nothing_is_missed_across_many_connections() {
    const EVENTS: usize = 300;
    let app = App::spawn().await;
    let mut stream = follow(&app, "").await;
    let (api, mut seen) = (app.api.clone(), 0);
    let writer = tokio::spawn(async move {
        for number in 0..EVENTS {
            api.put(format!("/api/cache/{number}")).json(serde_json::json!(number)).await.expect_success();
        }
    });
    let mut connections = 1;
    while seen < EVENTS {
        let event = stream.expect_next().await;
        assert_eq!(number(&event), seen, "{event:?}");
        seen += 1;
        if seen % 7 == 0 {
            let id = event.id.clone();
            stream = resume(&app, "", &id).await;
            connections += 1;
        }
    }
    writer.await.unwrap();
    println!("{EVENTS} events in {connections} connections");
}

/// Waits until the response ends or breaks; events that still come are checked.
async fn drain(stream: &mut EventStream, seen: &mut usize) {
    while let Ok(Some(event)) = stream.try_next().await {
        assert_eq!(number(&event), *seen, "{event:?}");
        *seen += 1;
    }
}

#[tokio::test]
async fn nothing_is_missed_across_restarts_of_the_host() {
    let mut app = App::spawn().await;
    let mut stream = follow(&app, "").await;
    let (mut seen, mut sent) = (0, 0);
    for _ in 0..3 {
        for _ in 0..10 {
            emit(&app, sent).await;
            sent += 1;
        }
        // A host that is killed loses what it has not yet published.
        until("all are published", async || recorded(&app).await.len() == sent).await;
        expect_numbers(&mut stream, seen, seen + 4).await;
        seen += 5;
        app.kill_host().await;
        drain(&mut stream, &mut seen).await;
        app.restart_host().await;
        stream = resume(&app, "", stream.last_id()).await;
    }
    if seen < sent {
        expect_numbers(&mut stream, seen, sent - 1).await;
    }
}

#[tokio::test]
async fn another_host_continues() {
    let mut app = App::spawn().await;
    let (_host, other) = app.second_host().await;
    let mut stream = follow(&app, "").await;
    for number in 0..6 {
        emit(&app, number).await;
    }
    expect_numbers(&mut stream, 0, 2).await;
    let id = stream.last_id().to_owned();
    until("all are published", async || recorded(&app).await.len() == 6).await;
    app.kill_host().await;
    expect_numbers(&mut other.get("/api/events").header("last-event-id", id).open().await, 3, 5).await;
}

#[tokio::test]
async fn a_reader_that_was_away_for_too_long_learns_it() {
    let app = App::builder().variable("events_max_length", "100").spawn().await;
    let mut stream = follow(&app, "").await;
    emit(&app, 0).await;
    expect_numbers(&mut stream, 0, 0).await;
    let id = stream.last_id().to_owned();
    for number in 1..=500 {
        emit(&app, number).await;
    }
    until("the stream has the last event", async || {
        recorded(&app).await.last().is_some_and(|event| event["subject"] == "kv/500")
    })
    .await;
    let mut late = resume(&app, "", &id).await;
    let gap = late.expect_next().await;
    assert_eq!(gap.kind, "gap", "{gap:?}");
    gap.json();
    // Then the oldest event that is left, and all after it.
    let oldest = recorded(&app).await[0]["subject"].as_str().unwrap().trim_start_matches("kv/").parse().unwrap();
    assert!(oldest > 1, "nothing was removed");
    expect_numbers(&mut late, oldest, 500).await;
    // Who comes again with an id that is left gets no gap.
    let end = late.last_id().to_owned();
    emit(&app, 501).await;
    expect_numbers(&mut resume(&app, "", &end).await, 501, 501).await;
}

#[tokio::test]
async fn a_stream_that_was_lost_is_a_gap() {
    let app = App::spawn().await;
    let mut stream = follow(&app, "").await;
    emit(&app, 0).await;
    expect_numbers(&mut stream, 0, 0).await;
    let id = stream.last_id().to_owned();
    drop(stream);
    app.redis.run(&["FLUSHALL"]).await;
    emit(&app, 1).await;
    let mut again = resume(&app, "", &id).await;
    assert_eq!(again.expect_next().await.kind, "gap");
    expect_numbers(&mut again, 1, 1).await;
}
