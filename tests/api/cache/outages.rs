//! The cache component while Redis is down, hangs or is full, and afterwards: reads succeed, writes report that they
//! failed, and every response is in time.

use std::time::Duration;

use blackbox::{App, Origin, Request, Response, until, within};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

/// How long a response may take while Redis does not respond.
const LIMIT: Duration = Duration::from_secs(1);
const AT_ONCE: usize = 6;

async fn in_time(request: Request) -> Response {
    within(LIMIT, async || request.clone().await).await
}

/// All requests that need Redis.
fn requests_that_need_redis(app: &App) -> Vec<Request> {
    let post = |path: &str, body: Value| app.post(format!("/api/cache/{path}")).json(body);
    let admin = |method, path: &str| app.admin().request(method, format!("/admin/cache{path}"));
    vec![
        app.put("/api/cache/a").json(json!(1)),
        app.delete("/api/cache/a"),
        post("warm", json!({"keys": ["a", "b"]})),
        post("mget", json!({"keys": ["a", "b"]})),
        post("mset", json!({"entries": {"a": 1, "b": 2}})),
        post("invalidate", json!({"key": "a"})),
        post("invalidate", json!({"pattern": "*"})),
        post("invalidate", json!({"module": "users"})),
        post("invalidate", json!({"module": "kv", "operation": "get"})),
        post("invalidate", json!({"userId": 1})),
        app.get("/api/cache/stats"),
        admin(Method::GET, "/stats"),
        admin(Method::GET, "/entries?module=kv"),
        admin(Method::DELETE, "/module/kv"),
        admin(Method::DELETE, "/operation/kv/get"),
        admin(Method::DELETE, "/user/1"),
        admin(Method::DELETE, ""),
        admin(Method::POST, "/stats/reset"),
    ]
}

async fn expect_outage(app: &App) {
    let mut requests = requests_that_need_redis(app);
    while !requests.is_empty() {
        // Some at once, because the application repeats each of them for most of a second.
        let some = requests.split_off(requests.len().saturating_sub(AT_ONCE));
        for response in join_all(some.into_iter().map(in_time)).await {
            response.expect_unavailable();
        }
    }
    assert_eq!(in_time(app.head("/api/cache/a")).await.status(), 503);
    for _ in 0..3 {
        let response = in_time(app.get("/api/cache/a")).await;
        assert_eq!(response.expect_ok()["key"], "a");
        assert!(response.is_bypass(), "{response:?}");
    }
    // A bad request is still a bad request.
    let bad = in_time(app.post("/api/cache/invalidate").json(json!({}))).await;
    bad.expect_problem(422, "validation");
}

async fn expect_recovery(app: &App) {
    until("the cache is used", async || app.get("/api/cache/back").await.is_hit()).await;
    for request in requests_that_need_redis(app) {
        // With default deadlines a busy Redis may be late again.
        until("the request succeeds", async || request.clone().await.status() != 503).await;
        request.await.expect_ok();
    }
}

#[tokio::test]
async fn without_redis_reads_succeed_and_the_rest_is_unavailable() {
    let mut app = App::spawn().await;
    app.put("/api/cache/a").json(json!(1)).await;
    app.redis.kill().await.unwrap();
    expect_outage(&app).await;
    app.redis.restart().await.unwrap();
    expect_recovery(&app).await;
}

#[tokio::test]
async fn a_redis_that_hangs_delays_nobody() {
    let app = App::builder().default_deadlines().spawn().await;
    app.put("/api/cache/a").json(json!(1)).await;
    app.redis.pause();
    expect_outage(&app).await;
    app.redis.resume();
    expect_recovery(&app).await;
}

#[tokio::test]
async fn an_application_that_starts_without_redis_connects_later() {
    let mut app = App::spawn().await;
    app.redis.kill().await.unwrap();
    app.restart_host().await;
    expect_outage(&app).await;
    app.redis.restart().await.unwrap();
    expect_recovery(&app).await;
}

#[tokio::test]
async fn without_redis_reads_come_from_the_origin() {
    let origin = Origin::start().await;
    let mut app = App::builder().origin(&origin).spawn().await;
    app.put("/api/cache/a").json(json!("cached")).await;
    app.redis.kill().await.unwrap();
    for number in 1..=3 {
        let response = in_time(app.get("/api/cache/a")).await;
        assert_eq!(response.expect_ok(), json!({"key": "a", "value": {"request": number}}));
        assert!(response.is_bypass(), "{response:?}");
    }
}

/// Commands that may be repeated are repeated until the request's deadline, so that a client does not notice a shorter
/// outage.
#[tokio::test]
async fn a_request_outlasts_a_short_outage() {
    let app = App::builder().default_deadlines().spawn().await;
    app.put("/api/cache/a").json(json!(1)).await;
    let requests = [
        app.put("/api/cache/a").json(json!(2)),
        app.post("/api/cache/mget").json(json!({"keys": ["a"]})),
        app.head("/api/cache/a"),
        app.post("/api/cache/mset").json(json!({"entries": {"a": 3}})),
        app.post("/api/cache/invalidate").json(json!({"key": "a"})),
    ];
    for request in requests {
        // A busy machine may prolong the outage, but not each time.
        let mut attempts = 0;
        let response = loop {
            app.redis.pause();
            let response = tokio::spawn(request.clone().into_future());
            // Longer than one command may take (100 ms), and much shorter than a request may take (1 s).
            tokio::time::sleep(Duration::from_millis(250)).await;
            app.redis.resume();
            let response = response.await.unwrap();
            attempts += 1;
            if response.status() != 503 || attempts == 8 {
                break response;
            }
        };
        assert_eq!(response.status(), 200, "{response:?}");
    }
}

#[tokio::test]
async fn a_full_redis_stores_nothing_and_the_response_says_so() {
    let app = App::spawn().await;
    app.put("/api/cache/there?ttl=1000").json(json!(1)).await;
    let configure = async |name: &str, value: &str| app.redis.run(&["CONFIG", "SET", name, value]).await;
    configure("maxmemory-policy", "noeviction").await;
    configure("maxmemory", "1").await;
    for request in
        [app.put("/api/cache/a").json(json!(1)), app.post("/api/cache/mset").json(json!({"entries": {"a": 1}}))]
    {
        in_time(request).await.expect_problem(503, "unavailable");
    }
    let uncached = in_time(app.get("/api/cache/a")).await;
    assert_eq!(uncached.expect_ok()["key"], "a");
    assert!(!uncached.is_stored() && !uncached.is_hit(), "{uncached:?}");
    assert!(in_time(app.get("/api/cache/there")).await.is_hit(), "a cached value is read");
    configure("maxmemory", "0").await;
    assert_eq!(app.put("/api/cache/a").json(json!(1)).await.status(), 200);
    assert!(app.get("/api/cache/a").await.is_hit());
}
