//! Requests that wait for a lock: they get it soon after it is free, end in time, and send few commands while they
//! wait.

use std::time::{Duration, Instant};

use blackbox::{Api, App, fast_enough, until, within};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{acquire, granted, release_held, show};

/// A request that waits for `orders`. Returns its result and when that arrived.
fn waiter(api: &Api, ttl_ms: u64, wait_ms: u64) -> JoinHandle<(Value, Instant)> {
    let api = api.clone();
    tokio::spawn(async move {
        let json = acquire(&api, json!({"resource": "orders", "ttl": ttl_ms, "wait": wait_ms})).await;
        (json, Instant::now())
    })
}

#[tokio::test]
async fn a_waiter_gets_the_lock_soon_after_it_is_released() {
    let app = App::spawn().await;
    fast_enough(Duration::from_secs(2), async || {
        let grant = app.given_lock("orders", 600_000).await;
        let waiter = waiter(&app, 60_000, 25_000);
        // So long that the pauses between attempts are at their longest.
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(!waiter.is_finished(), "it was granted while it was held");
        release_held(&app, &grant).await;
        let released = Instant::now();
        let (json, arrived) = waiter.await.unwrap();
        let next = granted(&json);
        assert!(next.fencing_token > grant.fencing_token);
        release_held(&app, &next).await;
        arrived.saturating_duration_since(released)
    })
    .await;
}

#[tokio::test]
async fn a_waiter_gets_the_lock_when_it_expires() {
    let app = App::spawn().await;
    // The remaining TTL limits the pauses between attempts.
    fast_enough(Duration::from_secs(3), async || {
        let start = Instant::now();
        let grant = app.given_lock("orders", 1_500).await;
        let (json, arrived) = waiter(&app, 60_000, 25_000).await.unwrap();
        let next = granted(&json);
        assert!(next.fencing_token > grant.fencing_token);
        release_held(&app, &next).await;
        let took = arrived - start;
        assert!(took >= Duration::from_millis(1_450), "granted before it expired: {took:?}");
        took
    })
    .await;
}

#[tokio::test]
async fn waiting_ends_after_the_requested_time() {
    let app = App::spawn().await;
    app.given_lock("orders", 600_000).await;
    for wait_ms in [1, 300, 2_500] {
        within(Duration::from_millis(wait_ms + 1_500), async || {
            let start = Instant::now();
            let json = acquire(&app, json!({"resource": "orders", "wait": wait_ms})).await;
            let took = start.elapsed();
            assert_eq!(json["acquired"], false);
            assert!((1..=600_000).contains(&json["retryAfter"].as_u64().unwrap()), "{json}");
            assert!(took >= Duration::from_millis(wait_ms * 9 / 10), "gave up after {took:?} of {wait_ms} ms");
        })
        .await;
    }
}

#[tokio::test]
async fn every_waiter_is_granted_the_lock() {
    let app = App::spawn().await;
    let grant = app.given_lock("orders", 600_000).await;
    let waiters: Vec<_> = (0..24).map(|_| waiter(&app, 60_000, 30_000)).collect();
    app.release(&grant).await;
    let mut pending = waiters;
    let mut numbers = vec![grant.fencing_token];
    while !pending.is_empty() {
        tokio::time::sleep(Duration::from_millis(2)).await;
        let (done, rest): (Vec<_>, _) = pending.into_iter().partition(tokio::task::JoinHandle::is_finished);
        pending = rest;
        assert!(done.len() <= 1, "{} hold it at once", done.len());
        for waiter in done {
            let (json, _) = waiter.await.unwrap();
            let grant = granted(&json);
            numbers.push(grant.fencing_token);
            app.release(&grant).await;
        }
    }
    assert_eq!(numbers.len(), 25);
    assert!(numbers.is_sorted(), "{numbers:?}");
}

#[tokio::test]
async fn waiting_sends_few_commands() {
    let app = App::spawn().await;
    app.given_lock("orders", 600_000).await;
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

/// Otherwise nobody could have the lock until its TTL ends.
#[tokio::test]
async fn a_client_that_has_disconnected_is_not_granted_the_lock() {
    let app = App::spawn().await;
    for round in 0..3 {
        let grant = app.given_lock("orders", 600_000).await;
        let mut monitor = app.redis.monitor().await;
        let gone = waiter(&app, 3_600_000, 30_000);
        until("the request waits", async || monitor.commands().await.len() > 2).await;
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        tokio::time::sleep(Duration::from_millis(100)).await;
        release_held(&app, &grant).await;
        // The next client is granted it, although the request before was for an hour.
        let grant = granted(&acquire(&app, json!({"resource": "orders", "ttl": 60_000, "wait": 30_000})).await);
        release_held(&app, &grant).await;
        // It stays free.
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(show(&app, "orders").await["held"], false, "round {round}");
    }
}
