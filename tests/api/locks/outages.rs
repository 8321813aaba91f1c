//! The locks service while Redis is down, hangs or is full, and afterwards: no lock is granted twice, and every
//! response is in time.

use std::time::{Duration, Instant};

use blackbox::{App, Request, Response, fast_enough, until, within};
use serde_json::json;

use super::FOREIGN_TOKEN;

/// One request for each route that needs Redis.
fn requests(app: &App) -> [Request; 7] {
    let post = |action: &str| app.post(format!("/api/cache/lock/{action}"));
    [
        post("acquire").json(json!({"resource": "new"})),
        post("acquire").json(json!({"resources": ["new", "newer"]})),
        post("release").json(json!({"key": "locks:orders", "token": FOREIGN_TOKEN})),
        post("extend").json(json!({"key": "locks:orders", "token": FOREIGN_TOKEN, "ttl": 1_000})),
        app.get("/api/cache/lock/orders"),
        app.admin().get("/admin/locks"),
        app.admin().delete("/admin/locks/orders"),
    ]
}

fn expect_unavailable(response: &Response) {
    response.expect_unavailable();
    assert_eq!(response.header("cache-control"), "no-store");
}

/// Every route is unavailable, and says so within `limit`.
async fn expect_outage(app: &App, limit: Duration) {
    for request in requests(app) {
        within(limit, async || expect_unavailable(&request.clone().await)).await;
    }
}

/// Acquires a free resource again and again until it is granted.
async fn until_granted(app: &App, resource: &str) {
    let request = app.post("/api/cache/lock/acquire").json(json!({"resource": resource, "ttl": 1_000}));
    until("the lock is granted", async || {
        let response = request.clone().await;
        response.status() == 200 && response.json()["acquired"] == true
    })
    .await;
}

#[tokio::test]
async fn without_redis_no_lock_is_granted() {
    let mut app = App::spawn().await;
    let grant = app.given_lock("orders", 60_000).await;
    app.redis.kill().await.unwrap();
    expect_outage(&app, Duration::from_secs(3)).await;
    // A bad request is still a bad request.
    app.post("/api/cache/lock/acquire").json(json!({})).await.expect_problem(422, "validation");
    app.redis.restart().await.unwrap();
    until_granted(&app, "new").await;
    // Redis is empty, so the lock is lost. The fencing token of the next holder is greater all the same.
    let next = app.given_lock("orders", 60_000).await;
    assert!(next.fencing_token > grant.fencing_token, "{next:?} after {grant:?}");
    for request in requests(&app) {
        request.await.expect_ok();
    }
}

#[tokio::test]
async fn a_redis_that_hangs_delays_nobody() {
    let app = App::builder().default_deadlines().spawn().await;
    until_granted(&app, "anything").await;
    let grant = app.given_lock("orders", 600_000).await;
    app.redis.pause();
    expect_outage(&app, Duration::from_secs(4)).await;
    app.redis.resume();
    until_granted(&app, "something else").await;
    // Redis may now run the commands that it had received. None of them may change the holder's lock, which only the
    // administrator asked to break.
    let request = app.post("/api/cache/lock/release").json(json!({"key": grant.key, "token": grant.token}));
    until("the lock is released", async || {
        let response = request.clone().await;
        response.status() != 503 && response.expect_ok()["released"] == true
    })
    .await;
    // A lock that was set for a request that failed is deleted, or expires at its TTL of 5 s.
    let start = Instant::now();
    let request = app.post("/api/cache/lock/acquire").json(json!({"resource": "new", "wait": 8_000}));
    until("the other lock is granted", async || {
        let response = request.clone().await;
        response.status() == 200 && response.json()["acquired"] == true
    })
    .await;
    println!("the lock of a failed request lasted up to {:?}", start.elapsed());
}

#[tokio::test]
async fn waiting_ends_when_redis_goes_down() {
    for hangs in [false, true] {
        let mut app = App::builder().default_deadlines().spawn().await;
        fast_enough(Duration::from_secs(6), async || {
            app.redis.run(&["SET", "locks:orders", "held", "PX", "60000"]).await;
            until_granted(&app, "anything").await;
            let request = app.post("/api/cache/lock/acquire").json(json!({"resource": "orders", "wait": 3_000}));
            let start = Instant::now();
            let waiter = tokio::spawn(request.into_future());
            tokio::time::sleep(Duration::from_millis(500)).await;
            if hangs {
                app.redis.pause();
            } else {
                app.redis.kill().await.unwrap();
            }
            expect_unavailable(&waiter.await.unwrap());
            let took = start.elapsed();
            if hangs {
                app.redis.resume();
            } else {
                app.redis.restart().await.unwrap();
            }
            took
        })
        .await;
    }
}

#[tokio::test]
async fn a_full_or_read_only_redis_grants_nothing() {
    let app = App::spawn().await;
    let config = async |name: &str, value: &str| app.redis.run(&["CONFIG", "SET", name, value]).await;
    config("maxmemory-policy", "noeviction").await;
    config("maxmemory", "1").await;
    let response = app.post("/api/cache/lock/acquire").json(json!({"resource": "orders"})).await;
    expect_unavailable(&response);
    config("maxmemory", "0").await;
    until_granted(&app, "orders").await;
}

#[tokio::test]
async fn a_service_that_starts_before_redis_connects_later() {
    let mut app = App::spawn().await;
    app.kill_host().await;
    app.redis.kill().await.unwrap();
    app.restart_host().await;
    expect_unavailable(&app.post("/api/cache/lock/acquire").json(json!({"resource": "orders"})).await);
    app.redis.restart().await.unwrap();
    until_granted(&app, "orders").await;
}
