//! Invalidations in a Redis with a million keys remove all that match and do not block other clients. Redis reports
//! itself what blocks it: SLOWLOG has each command of more than 10 ms, LATENCY each cycle of expiry or eviction.
//! Another client measures how long its PINGs take.

use std::time::{Duration, Instant};

use blackbox::App;
use redis::aio::MultiplexedConnection;
use reqwest::Method;
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

/// Cache entries that match the pattern.
const MATCHING: usize = 100_000;
/// Cache entries that do not.
const OTHERS: usize = 10_000;
/// Keys that are not the cache's.
const FOREIGN: usize = 890_000;

/// The longest that one command may block Redis.
const BLOCKED_MS: u64 = 10;
/// A busy machine can interrupt Redis in the middle of a command. A command that blocks by itself does so in each
/// attempt.
const ATTEMPTS: usize = 12;

/// The longest that another client may wait. A PING also waits for a core.
const PING: Duration = Duration::from_millis(50);

/// Stores `count` entries `{prefix}:{number}`, over HTTP.
async fn given_entries(app: &App, prefix: &str, count: usize) {
    const AT_ONCE: usize = 1000;
    let mut requests = JoinSet::new();
    for start in (0..count).step_by(AT_ONCE) {
        let names = (start..start + AT_ONCE).map(|number| (format!("{prefix}:{number}"), json!({"n": number})));
        let body = json!({"entries": names.collect::<Map<String, Value>>(), "ttl": 100_000});
        let api = app.api.clone();
        requests.spawn(async move { api.post("/api/cache/mset").json(&body).await.expect_ok() });
        if requests.len() >= 4 {
            assert_eq!(requests.join_next().await.unwrap().unwrap()["stored"], AT_ONCE);
        }
    }
    requests.join_all().await;
}

async fn given_foreign_keys(app: &App) {
    const AT_ONCE: usize = 1000;
    let mut redis = app.redis.connection().await;
    for start in (0..FOREIGN).step_by(AT_ONCE) {
        let mut command = redis::cmd("MSET");
        (start..start + AT_ONCE).for_each(|number| {
            command.arg(format!("matching:{number}")).arg(number);
        });
        let _: () = command.query_async(&mut redis).await.unwrap();
    }
}

async fn ask<T: redis::FromRedisValue>(redis: &mut MultiplexedConnection, words: &[&str]) -> T {
    redis::cmd(words[0]).arg(&words[1..]).query_async(redis).await.unwrap()
}

/// The result of `work`, and how long the slowest PING of another client took during `work`.
async fn pinging<T>(app: &App, work: impl Future<Output = T>) -> (T, Duration) {
    let mut redis = app.redis.connection().await;
    let (done, mut is_done) = tokio::sync::oneshot::channel::<()>();
    let pings = tokio::spawn(async move {
        let mut longest = Duration::ZERO;
        while is_done.try_recv().is_err() {
            let start = Instant::now();
            let _: String = ask(&mut redis, &["PING"]).await;
            longest = longest.max(start.elapsed());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        longest
    });
    let result = work.await;
    done.send(()).unwrap();
    (result, pings.await.unwrap())
}

/// One request that invalidates, and how many entries it removes.
struct Invalidation<'a> {
    name: &'a str,
    method: Method,
    path: &'a str,
    body: Value,
    count: usize,
}

/// Invalidates, and describes what blocked Redis meanwhile; empty if nothing did.
async fn invalidate(app: &App, invalidation: &Invalidation<'_>) -> String {
    let Invalidation { name, method, path, body, count } = invalidation;
    let mut redis = app.redis.connection().await;
    let _: () = ask(&mut redis, &["SLOWLOG", "RESET"]).await;
    let _: u64 = ask(&mut redis, &["LATENCY", "RESET"]).await;
    let start = Instant::now();
    let request = app.admin().request(method.clone(), path).json(body).send();
    let (response, longest) = pinging(app, request).await;
    let took = start.elapsed();
    println!("{name}: {count} entries in {took:?}; another client waited {longest:?} at most");
    assert_eq!(response.unwrap().expect_ok()["invalidated"], *count, "{name}");
    let slow: Vec<redis::Value> = ask(&mut redis, &["SLOWLOG", "GET", "10"]).await;
    let events: Vec<redis::Value> = ask(&mut redis, &["LATENCY", "LATEST"]).await;
    if slow.is_empty() && events.is_empty() && longest < PING {
        return String::new();
    }
    let shown = |value: &redis::Value| format!("{value:?}").chars().take(200).collect::<String>();
    let slow: Vec<String> = slow.iter().map(shown).collect();
    format!("{name}: a PING took {longest:?}; commands of more than {BLOCKED_MS} ms: {slow:?}; events: {events:?}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invalidating_a_hundred_thousand_of_a_million_keys_does_not_block_redis() {
    let app = App::spawn().await;
    let mut redis = app.redis.connection().await;
    // A million keys need more than the 128 MB of the tests' servers, and none may be evicted.
    let limit = BLOCKED_MS.to_string();
    let slow = (BLOCKED_MS * 1000).to_string();
    let settings = ["maxmemory", "0", "slowlog-log-slower-than", &slow, "latency-monitor-threshold", &limit];
    let _: () = ask(&mut redis, &[&["CONFIG", "SET"], &settings[..]].concat()).await;
    given_foreign_keys(&app).await;
    let foreign: usize = ask(&mut redis, &["DBSIZE"]).await;
    let pattern = json!({"pattern": "matching:*"});
    let rounds = [
        ("pattern", Method::POST, "/api/cache/invalidate", pattern, MATCHING, MATCHING),
        ("module", Method::DELETE, "/admin/cache/module/kv", json!(null), OTHERS, 2 * OTHERS),
        ("everything", Method::DELETE, "/admin/cache", json!(null), OTHERS, 2 * OTHERS),
    ];
    for (name, method, path, body, matching, count) in rounds {
        let invalidation = Invalidation { name, method, path, body, count };
        let mut blocked = String::new();
        for _ in 0..ATTEMPTS {
            given_entries(&app, "matching", matching).await;
            given_entries(&app, "other", OTHERS).await;
            let keys: usize = ask(&mut redis, &["DBSIZE"]).await;
            assert!(keys >= FOREIGN + matching + OTHERS, "{keys} keys");
            blocked = invalidate(&app, &invalidation).await;
            for number in [0, 1, matching / 2, matching - 1] {
                assert_eq!(app.head(format!("/api/cache/matching:{number}")).await.status(), 404, "{name}");
                let theirs: usize = ask(&mut redis, &["GET", &format!("matching:{number}")]).await;
                assert_eq!(theirs, number, "a key that is not the cache's");
            }
            let other = app.head("/api/cache/other:0").await.status();
            assert_eq!(other == 200, name == "pattern", "{name}: {other}");
            if blocked.is_empty() {
                break;
            }
            println!("{blocked}");
        }
        assert_eq!(blocked, "", "in each of {ATTEMPTS} attempts");
    }
    let left: usize = ask(&mut redis, &["DBSIZE"]).await;
    assert!((FOREIGN..foreign + 100).contains(&left), "{left} keys are left");
}
