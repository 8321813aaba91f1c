//! Rate limits while Redis is down or hangs: requests pass, and say that nobody counted them.

use std::time::Duration;

use blackbox::{App, Response, until, within};
use serde_json::json;

use super::{DAY_S, builder, expect_refused, limit, policy};

fn expect_not_counted(response: &Response) {
    assert_eq!(response.status(), 200, "{response:?}");
    assert_eq!(limit(response), None, "{response:?}");
    assert_eq!(policy(response), Some(("default".to_owned(), 1, DAY_S)), "{response:?}");
}

/// The quota of one request is counted again.
async fn until_refused(app: &App) {
    until("requests are counted again", async || {
        let response = app.get("/users").await;
        if response.status() == 429 {
            expect_refused(&response, "default");
        }
        response.status() == 429
    })
    .await;
}

#[tokio::test]
async fn without_redis_requests_pass() {
    const REQUESTS: usize = 40;
    // What an instance has not sent when it ends is lost: it must outlast the start of Redis, also on a slow machine.
    let mut app = builder(1).await.host_arg("--idle-instance-timeout", "90s").spawn().await;
    app.redis.kill().await.unwrap();
    for _ in 0..REQUESTS {
        expect_not_counted(&app.get("/users").await);
    }
    app.redis.restart().await.unwrap();
    until_refused(&app).await;
    // Some may be missing: an instance that has served its number of requests ends.
    until("the requests are counted as bypassed", async || {
        let metrics = app.get("/metrics").await;
        metrics.status() == 200
            && blackbox::Metrics::read(&metrics).counter("tumbler_rate_limit_bypassed_total", &[])
                >= REQUESTS as u64 / 2
    })
    .await;
    // The log says it per change of state, not per request. Other instances may have seen it, too.
    let others =
        app.host.log().iter().filter(|line| line["component"] == "users" && line["event"] != "request").count();
    assert!((1..REQUESTS / 2).contains(&others), "{others} lines: {:?}", app.host.log());
}

#[tokio::test]
async fn a_redis_that_hangs_delays_nobody() {
    let app = builder(1).await.default_deadlines().spawn().await;
    // Until the instance is connected, and has an entry.
    app.get("/api/cache/lock/a").await.expect_ok();
    app.redis.run(&["FLUSHALL"]).await;
    app.redis.pause();
    within(Duration::from_secs(3), async || {
        for _ in 0..5 {
            expect_not_counted(&app.get("/users").await);
        }
    })
    .await;
    app.redis.resume();
    until_refused(&app).await;
}

#[tokio::test]
async fn a_redis_that_refuses_writes_lets_requests_pass() {
    let app = builder(1).await.spawn().await;
    app.redis.run(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]).await;
    app.redis.run(&["CONFIG", "SET", "maxmemory", "1"]).await;
    for _ in 0..5 {
        expect_not_counted(&app.get("/users").await);
    }
    app.redis.run(&["CONFIG", "SET", "maxmemory", "0"]).await;
    until_refused(&app).await;
}

#[tokio::test]
async fn a_counter_of_another_type_refuses_nobody() {
    let app = builder(2).await.spawn().await;
    app.get("/users").await.expect_ok();
    for key in app.redis.keys().await.iter().filter(|key| key.starts_with("ratelimit")) {
        app.redis.run(&["DEL", key]).await;
        app.redis.run(&["HSET", key, "of", "another program"]).await;
    }
    for _ in 0..5 {
        assert_eq!(app.get("/users").await.status(), 200);
    }
}

#[tokio::test]
async fn without_redis_other_programs_are_told_to_go_on() {
    let mut app = App::spawn().await;
    let check = async || {
        let body = json!({"key": "k", "limit": 1, "window": 86_400_000});
        app.post("/api/ratelimit/check").json(body).await.expect_ok()["allowed"].clone()
    };
    assert_eq!((check().await, check().await), (json!(true), json!(false)));
    app.redis.kill().await.unwrap();
    let other = async || {
        let body = json!({"key": "other", "limit": 1, "window": 86_400_000});
        app.post("/api/ratelimit/check").json(body).await.expect_ok()["allowed"].clone()
    };
    for _ in 0..5 {
        assert_eq!(other().await, true);
    }
}
