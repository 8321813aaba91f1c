//! GET /api/events ends by itself, and readers that are gone or too slow cost nothing.

use std::cell::Cell;
use std::future::pending;
use std::pin::pin;
use std::time::{Duration, Instant};

use blackbox::App;
use futures_util::StreamExt;
use futures_util::future::select;
use futures_util::stream::iter;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{emit, expect_numbers, follow, resume};

#[tokio::test]
async fn a_response_ends_after_its_time_and_the_next_one_continues() {
    let app = App::builder().variable("events_max_seconds", "2").spawn().await;
    let mut stream = follow(&app, "").await;
    let (mut next, mut ends) = (0, 0);
    while ends < 3 {
        let start = Instant::now();
        loop {
            emit(&app, next).await;
            match stream.next().await {
                Some(event) => assert_eq!(super::number(&event), next, "{event:?}"),
                None => break,
            }
            next += 1;
            assert!(start.elapsed() < Duration::from_secs(60), "the response does not end");
        }
        ends += 1;
        // The event that the last response no longer brought comes first in the next one.
        stream = resume(&app, "", stream.last_id()).await;
        expect_numbers(&mut stream, next, next).await;
        next += 1;
    }
}

#[tokio::test]
async fn a_silent_response_ends_in_time_and_has_an_id() {
    let app = App::builder().variable("events_max_seconds", "1").spawn().await;
    let start = Instant::now();
    let mut stream = follow(&app, "").await;
    assert_eq!(stream.next().await, None);
    assert!(start.elapsed() >= Duration::from_millis(900), "{:?}", start.elapsed());
    let id = stream.last_id().to_owned();
    assert!(!id.is_empty(), "a client without an id would miss what happens before it is back");
    emit(&app, 7).await;
    expect_numbers(&mut resume(&app, "", &id).await, 7, 7).await;
}

#[tokio::test]
async fn a_silent_filter_moves_the_id_on() {
    let app = App::builder().variable("events_max_length", "100").variable("events_max_seconds", "10").spawn().await;
    let mut readers = 0;
    let last_id = loop {
        readers += 1;
        let mut stream = follow(&app, "?type=tumbler.user.*").await;
        let id = app.given_user_id(&format!("ada{readers}")).await;
        assert_eq!(stream.expect_next().await.json()["subject"], format!("users/{id}"));
        // So many others that the last event of this reader is no longer there. None after the end of the response.
        let emitted = Cell::new(0);
        let mut others = iter(0..400).map(|number| emit(&app, number)).buffer_unordered(20);
        let emit_others = async {
            while others.next().await.is_some() {
                emitted.set(emitted.get() + 1);
            }
            pending::<()>().await;
        };
        select(pin!(async { while stream.next().await.is_some() {} }), pin!(emit_others)).await;
        if emitted.get() >= 250 {
            break stream.last_id().to_owned();
        }
    };
    let mut again = resume(&app, "?type=tumbler.user.*", &last_id).await;
    let id = app.given_user_id("bob").await;
    let event = again.expect_next().await;
    assert_eq!(event.kind, "tumbler.user.created", "{event:?}");
    assert_eq!(event.json()["subject"], format!("users/{id}"));
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_ended() {
    const MESSAGES: usize = 400;
    let app = App::builder().variable("events_max_length", "100000").spawn().await;
    let mut slow = TcpStream::connect(app.host.address()).await.unwrap();
    slow.write_all(b"GET /api/events?channel=big HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut head = [0; 12];
    slow.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    // More than the buffers of the operating system and of the instance hold.
    let text = "x".repeat(60_000);
    for _ in 0..MESSAGES {
        app.post("/api/publish/big").json(json!(text)).await.expect_success();
    }
    // The others are served meanwhile.
    let mut quick = follow(&app, "?channel=big").await;
    app.post("/api/publish/big").json(json!("the end")).await.expect_success();
    assert_eq!(quick.expect_next().await.json()["data"], "the end");
    // Now it reads what it was sent, until the service ends the response. It has not kept everything for the reader.
    let mut read = 0;
    let mut buffer = vec![0; 1 << 20];
    let ends = async {
        loop {
            match slow.read(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(length) => read += length,
            }
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(60), ends).await.is_ok();
    assert!(ended, "the response goes on after {read} bytes");
    println!("{read} of {} bytes", MESSAGES * text.len());
    assert!(read < MESSAGES * text.len(), "the service has buffered everything");
}

#[tokio::test]
async fn a_host_that_is_asked_to_end_does_not_wait_for_readers() {
    let mut app = App::spawn().await;
    let mut stream = follow(&app, "").await;
    emit(&app, 1).await;
    expect_numbers(&mut stream, 1, 1).await;
    let status = app.host.terminate(Duration::from_secs(90)).await;
    assert!(status.is_some(), "the host still runs");
}

#[tokio::test]
async fn readers_share_the_reading_of_redis() {
    const READERS: usize = 80;
    /// How often an instance reads a stream, at most.
    const INTERVAL: Duration = Duration::from_millis(200);
    /// The instances that the readers may be on.
    const INSTANCES: u32 = 8;
    let app = App::builder().host_arg("--max-instance-concurrent-reuse-count", "128").spawn().await;
    let mut streams = Vec::new();
    for _ in 0..READERS {
        streams.push(follow(&app, "").await);
    }
    let mut monitor = app.redis.monitor().await;
    let start = Instant::now();
    for number in 0..10 {
        emit(&app, number).await;
        for stream in &mut streams {
            expect_numbers(stream, number, number).await;
        }
    }
    let commands = monitor.commands().await;
    let most = INSTANCES * (start.elapsed().div_duration_f64(INTERVAL) as u32 + 2);
    let reads = commands.iter().filter(|command| command.name.starts_with('X') && command.name != "XADD").count();
    println!("{reads} reads of the stream in {:?}", start.elapsed());
    assert!(reads <= most as usize, "{reads} reads for {READERS} readers in {:?}", start.elapsed());
}

#[tokio::test]
async fn readers_that_go_away_are_forgotten() {
    let app = App::spawn().await;
    for round in 0..10 {
        let mut streams = Vec::new();
        for _ in 0..20 {
            streams.push(follow(&app, "").await);
        }
        emit(&app, round).await;
        for stream in &mut streams {
            expect_numbers(stream, round, round).await;
        }
    }
    // With no reader left, nobody reads the stream: Redis has rest.
    let mut monitor = app.redis.monitor().await;
    monitor.settle().await;
    let mut stream = follow(&app, "").await;
    emit(&app, 99).await;
    expect_numbers(&mut stream, 99, 99).await;
}
