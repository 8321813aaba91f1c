//! The locks service while Redis is down, silent, full or back again: a lock never fails open, and nothing hangs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;

use std::time::{Duration, Instant};

use answer::{Answer, read};
use blackbox::{ADMIN_TOKEN, App};
use reqwest::Method;
use serde_json::json;

/// One request for each route that asks Redis something.
async fn ask_everything(app: &App) -> Vec<(Answer, Duration)> {
    let token = "AAAAAAAAAAAAAAAAAAAAAA";
    let post = |action: &str| app.request(Method::POST, &format!("/api/cache/lock/{action}"));
    let requests = [
        post("acquire").json(&json!({"resource": "new"})),
        post("acquire").json(&json!({"resources": ["new", "newer"]})),
        post("release").json(&json!({"key": "locks:orders", "token": token})),
        post("extend").json(&json!({"key": "locks:orders", "token": token, "ttl": 1_000})),
        app.request(Method::GET, "/api/cache/lock/orders"),
        app.request(Method::GET, "/admin/locks").bearer_auth(ADMIN_TOKEN),
        app.request(Method::DELETE, "/admin/locks/orders").bearer_auth(ADMIN_TOKEN),
    ];
    let mut answers = Vec::new();
    for request in requests {
        let start = Instant::now();
        let answer = read(request.send().await.unwrap()).await;
        answers.push((answer, start.elapsed()));
    }
    answers
}

fn expect_unavailable(answer: &Answer) {
    answer.expect_problem(503, "unavailable");
    assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
}

/// Asks for a free resource until it is granted.
async fn until_granted(app: &App, resource: &str) {
    let start = Instant::now();
    loop {
        let answer = read(app.acquire_lock(&json!({"resource": resource, "ttl": 100})).await).await;
        if answer.status == 200 && answer.json()["acquired"] == true {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(10), "locks did not come back: {answer:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn without_redis_there_are_no_locks() {
    let mut app = App::spawn().await;
    let grant = app.given_lock("orders", 60_000).await;
    app.redis.kill().await.unwrap();
    for (answer, took) in ask_everything(&app).await {
        expect_unavailable(&answer);
        assert!(took < Duration::from_secs(3), "{took:?}: {answer:?}");
    }
    // Bad requests are still told what is wrong with them.
    read(app.acquire_lock(&json!({})).await).await.expect_problem(422, "validation");
    app.redis.restart().await.unwrap();
    until_granted(&app, "new").await;
    // It came back empty: the lock is lost, and the number of the next holder says so to the resource.
    let next = app.given_lock("orders", 60_000).await;
    assert!(next.fencing_token > grant.fencing_token, "{next:?} after {grant:?}");
    for (answer, _) in ask_everything(&app).await {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

#[tokio::test]
async fn a_silent_redis_holds_nobody_up() {
    let app = App::spawn().await;
    let grant = app.given_lock("orders", 600_000).await;
    app.redis.pause();
    for (answer, took) in ask_everything(&app).await {
        expect_unavailable(&answer);
        assert!(took < Duration::from_secs(4), "{took:?}: {answer:?}");
    }
    app.redis.resume();
    until_granted(&app, "something else").await;
    // What the server had buffered may run now; it must not have touched the holder's lock, for which only the
    // administrator asked.
    let answer = read(app.release_lock(&grant.key, &grant.token).await).await;
    assert_eq!(answer.json()["released"], true, "{answer:?}");
    // And a lock that was asked for in vain ends at its TTL at the latest (5 s), or was released before.
    let start = Instant::now();
    let json = read(app.acquire_lock(&json!({"resource": "new", "wait": 8_000})).await).await.json();
    assert_eq!(json["acquired"], true, "{json}");
    println!("the lock that nobody got was in the way for {:?}", start.elapsed());
}

#[tokio::test]
async fn waiting_ends_also_when_redis_goes_away_meanwhile() {
    for silent in [false, true] {
        let mut app = App::spawn().await;
        app.given_lock("orders", 60_000).await;
        let api = app.api.clone();
        let start = Instant::now();
        let waiter =
            tokio::spawn(
                async move { read(api.acquire_lock(&json!({"resource": "orders", "wait": 3_000})).await).await },
            );
        tokio::time::sleep(Duration::from_millis(500)).await;
        if silent {
            app.redis.pause();
        } else {
            app.redis.kill().await.unwrap();
        }
        let answer = waiter.await.unwrap();
        expect_unavailable(&answer);
        assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
        app.redis.resume();
    }
}

#[tokio::test]
async fn a_full_or_read_only_redis_grants_nothing() {
    let app = App::spawn().await;
    let mut redis = app.redis.connection().await;
    let mut config = async |name: &str, value: &str| {
        let _: String = redis::cmd("CONFIG").arg("SET").arg(name).arg(value).query_async(&mut redis).await.unwrap();
    };
    config("maxmemory-policy", "noeviction").await;
    config("maxmemory", "1").await;
    let answer = read(app.acquire_lock(&json!({"resource": "orders"})).await).await;
    expect_unavailable(&answer);
    config("maxmemory", "0").await;
    until_granted(&app, "orders").await;
}

/// The first thing that a fresh instance does may be in vain.
#[tokio::test]
async fn a_service_that_starts_before_redis_works_once_redis_is_there() {
    let mut app = App::spawn().await;
    app.kill_host().await;
    app.redis.kill().await.unwrap();
    app.restart_host().await;
    expect_unavailable(&read(app.acquire_lock(&json!({"resource": "orders"})).await).await);
    app.redis.restart().await.unwrap();
    until_granted(&app, "orders").await;
}
