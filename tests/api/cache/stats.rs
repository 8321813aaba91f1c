//! GET /api/cache/stats and /admin/cache/stats: hits and misses of all components, and for the administrator by module
//! and operation.

use std::time::Duration;

use blackbox::{App, Origin, until};
use serde_json::{Value, json};

use super::stats;

async fn public(app: &App) -> Value {
    app.get("/api/cache/stats").await.expect_ok()
}

#[tokio::test]
async fn hits_and_misses_of_all_components_are_added_up() {
    let app = App::spawn().await;
    assert_eq!(public(&app).await, json!({"hits": 0, "misses": 0}));
    let id = app.given_user_id("ada").await;
    for _ in 0..4 {
        app.get(format!("/users/{id}")).await;
        app.get("/api/cache/a").await;
    }
    app.get("/api/cache/b").await;
    app.post("/api/cache/mget").json(json!({"keys": ["a", "b", "c"]})).await;
    let expected = json!({"hits": 3 + 3 + 2, "misses": 1 + 1 + 1 + 1});
    // Counters are sent after the responses.
    until("all is counted", async || public(&app).await == expected).await;
    let stats = stats(&app).await;
    let counter = |module: &str, operation: &str, name: &str| {
        let counters = &stats["modules"][module]["operations"][operation];
        counters[name].as_u64().unwrap_or_else(|| panic!("{module}:{operation}:{name} in {stats:#}"))
    };
    assert_eq!((counter("users", "getById", "hits"), counter("users", "getById", "misses")), (3, 1));
    assert_eq!((counter("kv", "get", "hits"), counter("kv", "get", "misses")), (5, 3));
    assert_eq!((counter("users", "getById", "keys"), counter("kv", "get", "keys")), (1, 2));
    assert_eq!((counter("users", "getById", "fills"), counter("kv", "get", "fills")), (1, 2));
    assert_eq!((&stats["totals"]["hits"], &stats["totals"]["misses"]), (&json!(8), &json!(4)));
    let ratio = stats["totals"]["hitRatio"].as_f64().unwrap();
    assert!((ratio - 8.0 / 12.0).abs() < 0.01, "{ratio}");
    assert_eq!((&stats["totalModules"], &stats["totalOperations"]), (&json!(2), &json!(2)), "{stats:#}");
    assert_eq!(stats["totalKeys"], 3);
}

/// What the asking instance has counted is always included. So no request has to be repeated here.
#[tokio::test]
async fn a_read_is_counted_in_the_statistics_that_follow_it() {
    let app = App::spawn().await;
    app.put("/api/cache/a").json(json!(1)).await.expect_ok();
    for hits in 1..=50 {
        app.get("/api/cache/a").await.expect_ok();
        assert_eq!(public(&app).await, json!({"hits": hits, "misses": 0}));
    }
}

#[tokio::test]
async fn the_statistics_describe_the_redis_server() {
    let app = App::spawn().await;
    let mut monitor = app.redis.monitor().await;
    app.put("/api/cache/a").json(json!(1)).await;
    // Counters and events are sent after the response.
    monitor.settle().await;
    let stats = stats(&app).await;
    let server = |name: &str| stats["redis"][name].as_u64().unwrap_or_else(|| panic!("{name} in {stats:#}"));
    assert!(server("usedMemoryBytes") > 100_000, "{stats:#}");
    assert_eq!(server("evictedKeys"), 0);
    assert_eq!(server("keys"), app.redis.ask::<u64>(&["DBSIZE"]).await, "all keys of the server");
}

#[tokio::test]
async fn the_hit_ratio_of_an_unused_cache_is_zero_or_null() {
    let app = App::spawn().await;
    let stats = stats(&app).await;
    assert_eq!((&stats["totals"]["hits"], &stats["totals"]["misses"]), (&json!(0), &json!(0)), "{stats:#}");
    let ratio = &stats["totals"]["hitRatio"];
    assert!(ratio.is_null() || ratio.as_f64() == Some(0.0), "{ratio}");
    assert_eq!((&stats["totalModules"], &stats["totalKeys"]), (&json!(0), &json!(0)), "{stats:#}");
}

#[tokio::test]
async fn a_reset_zeroes_the_counters_and_keeps_the_entries() {
    let app = App::spawn().await;
    for _ in 0..3 {
        app.get("/api/cache/a").await;
    }
    until("all is counted", async || public(&app).await == json!({"hits": 2, "misses": 1})).await;
    let reset = app.admin().post("/admin/cache/stats/reset").await;
    assert_eq!(reset.expect_ok(), json!({"reset": true}));
    assert_eq!(public(&app).await, json!({"hits": 0, "misses": 0}));
    let stats = stats(&app).await;
    assert_eq!((&stats["totalKeys"], &stats["totals"]["fills"]), (&json!(1), &json!(0)), "{stats:#}");
    assert!(app.get("/api/cache/a").await.is_hit());
    until("counting goes on", async || public(&app).await == json!({"hits": 1, "misses": 0})).await;
}

#[tokio::test]
async fn requests_that_share_a_fill_are_counted() {
    let origin = Origin::start().await;
    let app = App::builder().origin(&origin).spawn().await;
    let mut round = 0;
    // On a busy machine the other requests may arrive after the fill, and are hits.
    until("a shared fill is counted", async || {
        round += 1;
        origin.hold();
        let get = || tokio::spawn(app.get(format!("/api/cache/a{round}")).into_future());
        let first = get();
        origin.received(round).await;
        let others: Vec<_> = (0..5).map(|_| get()).collect();
        tokio::time::sleep(Duration::from_millis(300)).await;
        origin.release();
        let value = first.await.unwrap().expect_ok();
        for other in others {
            assert_eq!(other.await.unwrap().expect_ok(), value);
        }
        assert_eq!(origin.count(), round);
        let stats = stats(&app).await;
        stats["totals"]["coalescedFills"].as_u64().unwrap_or_else(|| panic!("{stats:#}")) >= 1
    })
    .await;
}

#[tokio::test]
async fn bypasses_are_counted_when_redis_is_back() {
    let app = App::builder().default_deadlines().spawn().await;
    app.get("/api/cache/a").await;
    app.redis.pause();
    let bypassed = app.get("/api/cache/a").await;
    assert!(bypassed.is_bypass(), "{bypassed:?}");
    app.redis.resume();
    let counted = async || {
        // Counters are sent with those of a later read, once the circuit breaker is closed.
        app.get("/api/cache/a").await;
        let response = app.admin().get("/admin/cache/stats").await;
        // Redis may still be late.
        if response.status() == 503 {
            return false;
        }
        let stats = response.expect_ok();
        stats["totals"]["bypasses"].as_u64().unwrap_or_else(|| panic!("{stats:#}")) >= 1
    };
    until("the bypass is counted", counted).await;
}
