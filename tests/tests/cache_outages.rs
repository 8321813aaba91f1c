//! The cache component while Redis is down, silent or full, and when it is back: reads are answered, writes are told that
//! they failed, and nothing hangs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;

use std::time::{Duration, Instant};

use answer::{Answer, read};
use blackbox::{ADMIN_TOKEN, App, Origin};
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tokio::task::JoinSet;

/// No answer may take longer while Redis does not answer.
const LIMIT: Duration = Duration::from_secs(1);
const SIDE_BY_SIDE: usize = 6;

async fn in_time(request: RequestBuilder) -> Answer {
    let start = Instant::now();
    let answer = read(request.send().await.unwrap()).await;
    assert!(start.elapsed() < LIMIT, "{:?}: {answer:?}", start.elapsed());
    answer
}

/// Everything that cannot be done without Redis.
fn needing_redis(app: &App) -> Vec<RequestBuilder> {
    let post = |path: &str, body| app.request(Method::POST, &format!("/api/cache/{path}")).json(&body);
    let admin = |method, path: &str| app.request(method, &format!("/admin/cache{path}")).bearer_auth(ADMIN_TOKEN);
    vec![
        app.cached(Method::PUT, "a", "").json(&json!(1)),
        app.cached(Method::DELETE, "a", ""),
        post("warm", json!({"keys": ["a", "b"]})),
        post("mget", json!({"keys": ["a", "b"]})),
        post("mset", json!({"entries": {"a": 1, "b": 2}})),
        post("invalidate", json!({"key": "a"})),
        post("invalidate", json!({"pattern": "*"})),
        post("invalidate", json!({"module": "users"})),
        post("invalidate", json!({"module": "kv", "operation": "get"})),
        post("invalidate", json!({"userId": 1})),
        app.request(Method::GET, "/api/cache/stats"),
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
    let mut requests = needing_redis(app);
    while !requests.is_empty() {
        // Some at a time: each of them is tried again for most of a second.
        let some = requests.split_off(requests.len().saturating_sub(SIDE_BY_SIDE));
        let answers: JoinSet<Answer> = some.into_iter().map(in_time).collect();
        for answer in answers.join_all().await {
            answer.expect_problem(503, "unavailable");
            assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0, "{answer:?}");
        }
    }
    assert_eq!(in_time(app.cached(Method::HEAD, "a", "")).await.status, 503);
    for _ in 0..3 {
        let answer = in_time(app.cached(Method::GET, "a", "")).await;
        assert_eq!(answer.expect_ok()["key"], "a");
        assert!(answer.header("cache-status").starts_with("tumbler; fwd=bypass"), "{answer:?}");
    }
    // Bad requests are still told what is wrong with them.
    let bad = in_time(app.request(Method::POST, "/api/cache/invalidate").json(&json!({}))).await;
    bad.expect_problem(422, "validation");
}

async fn expect_recovery(app: &App) {
    let start = Instant::now();
    while !read(app.get_cached("back").await).await.is_hit() {
        assert!(start.elapsed() < Duration::from_secs(10), "the cache did not come back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for request in needing_redis(app) {
        read(request.send().await.unwrap()).await.expect_ok();
    }
}

#[tokio::test]
async fn without_redis_reads_answer_and_the_rest_is_a_problem() {
    let mut app = App::spawn().await;
    app.put_cached("a", "", &json!(1)).await;
    app.redis.kill().await.unwrap();
    expect_outage(&app).await;
    app.redis.restart().await.unwrap();
    expect_recovery(&app).await;
}

#[tokio::test]
async fn a_silent_redis_holds_nobody_up() {
    let app = App::spawn().await;
    app.put_cached("a", "", &json!(1)).await;
    app.redis.pause();
    expect_outage(&app).await;
    app.redis.resume();
    expect_recovery(&app).await;
}

#[tokio::test]
async fn an_application_that_starts_without_redis_finds_it_later() {
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
    let mut app = App::builder().variable("cache_origin_url", &origin.url()).spawn().await;
    app.put_cached("a", "", &json!("cached")).await;
    app.redis.kill().await.unwrap();
    for number in 1..=3 {
        let answer = in_time(app.cached(Method::GET, "a", "")).await;
        assert_eq!(answer.expect_ok(), json!({"key": "a", "value": {"request": number}}));
        assert!(answer.header("cache-status").starts_with("tumbler; fwd=bypass"), "{answer:?}");
    }
}

/// Commands that may be repeated are tried again within the request's deadline: an outage shorter than that is not
/// noticed.
#[tokio::test]
async fn a_short_silence_is_sat_out() {
    let app = App::spawn().await;
    app.put_cached("a", "", &json!(1)).await;
    let requests = [
        app.cached(Method::PUT, "a", "").json(&json!(2)),
        app.request(Method::POST, "/api/cache/mget").json(&json!({"keys": ["a"]})),
        app.cached(Method::HEAD, "a", ""),
        app.request(Method::POST, "/api/cache/mset").json(&json!({"entries": {"a": 3}})),
        app.request(Method::POST, "/api/cache/invalidate").json(&json!({"key": "a"})),
    ];
    for request in requests {
        app.redis.pause();
        let asked = tokio::spawn(request.send());
        // Longer than one command may take (100 ms), and well within what a request may take.
        tokio::time::sleep(Duration::from_millis(250)).await;
        app.redis.resume();
        let answer = read(asked.await.unwrap().unwrap()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

#[tokio::test]
async fn a_full_redis_stores_nothing_and_says_so() {
    let app = App::spawn().await;
    app.put_cached("there", "?ttl=1000", &json!(1)).await;
    let mut redis = app.redis.connection().await;
    let mut configure = async |name: &str, value: &str| {
        let _: () = redis::cmd("CONFIG").arg(&["SET", name, value]).query_async(&mut redis).await.unwrap();
    };
    configure("maxmemory-policy", "noeviction").await;
    configure("maxmemory", "1").await;
    for request in [
        app.cached(Method::PUT, "a", "").json(&json!(1)),
        app.request(Method::POST, "/api/cache/mset").json(&json!({"entries": {"a": 1}})),
    ] {
        in_time(request).await.expect_problem(503, "unavailable");
    }
    let read_anyway = in_time(app.cached(Method::GET, "a", "")).await;
    assert_eq!(read_anyway.expect_ok()["key"], "a");
    assert!(!read_anyway.is_stored() && !read_anyway.is_hit(), "{read_anyway:?}");
    assert!(in_time(app.cached(Method::GET, "there", "")).await.is_hit(), "what is cached is answered");
    configure("maxmemory", "0").await;
    assert_eq!(app.put_cached("a", "", &json!(1)).await.status(), 200);
    assert!(read(app.get_cached("a").await).await.is_hit());
}
