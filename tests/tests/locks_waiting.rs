//! Requests that wait for a lock: they get it soon after it is free, end in time, and leave Redis in peace meanwhile.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;

use std::time::{Duration, Instant};

use answer::read;
use blackbox::{Api, App, Grant};
use serde_json::{Value, json};

async fn acquire(api: &Api, body: Value) -> Value {
    let answer = read(api.acquire_lock(&body).await).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// A request that waits for `orders`, and when it was answered.
fn waiter(api: &Api, ttl_ms: u64, wait_ms: u64) -> tokio::task::JoinHandle<(Value, Instant)> {
    let api = api.clone();
    tokio::spawn(async move {
        let json = acquire(&api, json!({"resource": "orders", "ttl": ttl_ms, "wait": wait_ms})).await;
        (json, Instant::now())
    })
}

#[tokio::test]
async fn a_waiter_gets_the_lock_soon_after_it_is_released() {
    let app = App::builder().patient_locks().spawn().await;
    let grant = app.given_lock("orders", 60_000).await;
    let waiter = waiter(&app, 5_000, 20_000);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!waiter.is_finished(), "it was granted while it was held");
    let released = read(app.release_lock(&grant.key, &grant.token).await).await;
    assert_eq!(released.json(), json!({"released": true}));
    let at = Instant::now();
    let (json, answered) = waiter.await.unwrap();
    let next = Grant::from_json(&json["lock"]).unwrap_or_else(|| panic!("{json}"));
    assert!(next.fencing_token > grant.fencing_token);
    let delay = answered.saturating_duration_since(at);
    println!("granted {delay:?} after the release");
    assert!(delay < Duration::from_secs(2), "{delay:?}");
}

#[tokio::test]
async fn a_waiter_gets_the_lock_when_it_expires() {
    let app = App::builder().patient_locks().spawn().await;
    let start = Instant::now();
    let grant = app.given_lock("orders", 1_500).await;
    let (json, answered) = waiter(&app, 5_000, 20_000).await.unwrap();
    let next = Grant::from_json(&json["lock"]).unwrap_or_else(|| panic!("{json}"));
    assert!(next.fencing_token > grant.fencing_token);
    let took = answered - start;
    // Not before it ended; and what is left of the TTL bounds the backoff.
    assert!((1_450..3_000).contains(&took.as_millis()), "{took:?}");
}

#[tokio::test]
async fn waiting_ends() {
    let app = App::builder().patient_locks().spawn().await;
    app.given_lock("orders", 60_000).await;
    for wait_ms in [1, 300, 2_500] {
        let start = Instant::now();
        let json = acquire(&app, json!({"resource": "orders", "wait": wait_ms})).await;
        let took = start.elapsed();
        assert_eq!(json["acquired"], false);
        assert!((1..=60_000).contains(&json["retryAfter"].as_u64().unwrap()), "{json}");
        assert!(took >= Duration::from_millis(wait_ms * 9 / 10), "gave up after {took:?} of {wait_ms} ms");
        assert!(took < Duration::from_millis(wait_ms + 1_500), "{took:?} instead of {wait_ms} ms");
    }
}

#[tokio::test]
async fn every_waiter_gets_its_turn() {
    let app = App::builder().patient_locks().spawn().await;
    let grant = app.given_lock("orders", 60_000).await;
    let waiters: Vec<_> = (0..24).map(|_| waiter(&app, 10_000, 28_000)).collect();
    read(app.release_lock(&grant.key, &grant.token).await).await;
    let mut pending = waiters;
    let mut numbers = vec![grant.fencing_token];
    while !pending.is_empty() {
        tokio::time::sleep(Duration::from_millis(2)).await;
        let (done, rest): (Vec<_>, _) = pending.into_iter().partition(tokio::task::JoinHandle::is_finished);
        pending = rest;
        assert!(done.len() <= 1, "{} hold it at once", done.len());
        for waiter in done {
            let (json, _) = waiter.await.unwrap();
            let grant = Grant::from_json(&json["lock"]).unwrap_or_else(|| panic!("after {numbers:?}: {json}"));
            numbers.push(grant.fencing_token);
            read(app.release_lock(&grant.key, &grant.token).await).await;
        }
    }
    assert_eq!(numbers.len(), 25);
    assert!(numbers.is_sorted(), "{numbers:?}");
}

#[tokio::test]
async fn waiting_leaves_redis_in_peace() {
    let app = App::builder().patient_locks().spawn().await;
    app.given_lock("orders", 60_000).await;
    let mut monitor = app.redis.monitor().await;
    let waiters: Vec<_> = (0..4).map(|_| waiter(&app, 5_000, 3_000)).collect();
    for waiter in waiters {
        assert_eq!(waiter.await.unwrap().0["acquired"], false);
    }
    let commands = monitor.commands().await;
    let waiter_seconds = 4 * 3;
    println!("{} commands in {waiter_seconds} waiter seconds", commands.len());
    assert!(commands.len() < waiter_seconds * 60, "{} commands", commands.len());
}

/// A lock that was granted to nobody would be in the way until its TTL ends.
#[tokio::test]
async fn a_client_that_has_gone_does_not_get_the_lock() {
    let app = App::builder().patient_locks().spawn().await;
    for round in 0..3 {
        let grant = app.given_lock("orders", 60_000).await;
        let gone = waiter(&app, 3_600_000, 30_000);
        tokio::time::sleep(Duration::from_millis(400)).await;
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        tokio::time::sleep(Duration::from_millis(100)).await;
        read(app.release_lock(&grant.key, &grant.token).await).await;
        // The next one gets it, although the one before asked for an hour.
        let start = Instant::now();
        let json = acquire(&app, json!({"resource": "orders", "ttl": 5_000, "wait": 10_000})).await;
        assert_eq!(json["acquired"], true, "round {round}: {json}");
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        let grant = Grant::from_json(&json["lock"]).unwrap();
        read(app.release_lock(&grant.key, &grant.token).await).await;
        // Nor does it come back later.
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(read(app.show_lock("orders").await).await.json()["held"], false, "round {round}");
    }
}
