//! What is counted: hits and misses of all components together, by module and operation for the administrator.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;

use std::time::Duration;

use answer::read;
use blackbox::{ADMIN_TOKEN, App, Origin, until};
use reqwest::Method;
use serde_json::{Value, json};

async fn admin(app: &App) -> Value {
    read(app.admin_cache(Method::GET, "/stats").await).await.expect_ok()
}

async fn public(app: &App) -> Value {
    read(app.get("/api/cache/stats").await).await.expect_ok()
}

#[tokio::test]
async fn hits_and_misses_of_all_components_are_added_up() {
    let app = App::spawn().await;
    assert_eq!(public(&app).await, json!({"hits": 0, "misses": 0}));
    let id = app.given_user_id("ada").await;
    for _ in 0..4 {
        read(app.get_user(id).await).await;
        read(app.get_cached("a").await).await;
    }
    read(app.get_cached("b").await).await;
    app.mget(&json!({"keys": ["a", "b", "c"]})).await;
    let expected = json!({"hits": 3 + 3 + 2, "misses": 1 + 1 + 1 + 1});
    // Counters come a moment after the answers that they count.
    until("all is counted", async || public(&app).await == expected).await;
    let stats = admin(&app).await;
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

#[tokio::test]
async fn the_server_is_described() {
    let app = App::spawn().await;
    app.put_cached("a", "", &json!(1)).await;
    let stats = admin(&app).await;
    let server = |name: &str| stats["redis"][name].as_u64().unwrap_or_else(|| panic!("{name} in {stats:#}"));
    assert!(server("usedMemoryBytes") > 100_000, "{stats:#}");
    assert_eq!(server("evictedKeys"), 0);
    assert_eq!(server("keys"), app.redis.keys().await.len() as u64, "all keys of the server");
}

#[tokio::test]
async fn nothing_is_divided_by_zero() {
    let app = App::spawn().await;
    let stats = admin(&app).await;
    assert_eq!((&stats["totals"]["hits"], &stats["totals"]["misses"]), (&json!(0), &json!(0)), "{stats:#}");
    let ratio = &stats["totals"]["hitRatio"];
    assert!(ratio.is_null() || ratio.as_f64() == Some(0.0), "{ratio}");
    assert_eq!((&stats["totalModules"], &stats["totalKeys"]), (&json!(0), &json!(0)), "{stats:#}");
}

#[tokio::test]
async fn a_reset_zeroes_the_counters_and_keeps_the_entries() {
    let app = App::spawn().await;
    for _ in 0..3 {
        read(app.get_cached("a").await).await;
    }
    until("all is counted", async || public(&app).await == json!({"hits": 2, "misses": 1})).await;
    let reset = app.request(Method::POST, "/admin/cache/stats/reset").bearer_auth(ADMIN_TOKEN);
    assert_eq!(read(reset.send().await.unwrap()).await.expect_ok(), json!({"reset": true}));
    assert_eq!(public(&app).await, json!({"hits": 0, "misses": 0}));
    let stats = admin(&app).await;
    assert_eq!((&stats["totalKeys"], &stats["totals"]["fills"]), (&json!(1), &json!(0)), "{stats:#}");
    assert!(read(app.get_cached("a").await).await.is_hit());
    until("it goes on counting", async || public(&app).await == json!({"hits": 1, "misses": 0})).await;
}

#[tokio::test]
async fn requests_that_shared_a_fill_are_counted() {
    let origin = Origin::start().await;
    let builder = App::builder().variable("cache_origin_url", &origin.url());
    let builder = builder.variable("cache_origin_timeout_ms", "10000").variable("cache_timeout_ms", "2000");
    let app = builder.spawn().await;
    origin.hold();
    let get = || {
        let api = app.api.clone();
        tokio::spawn(async move { read(api.get_cached("a").await).await.expect_ok() })
    };
    let first = get();
    origin.asked(1).await;
    // One after another, so that they find an instance that is at work.
    let others: Vec<_> = (0..5).map(|_| get()).collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    origin.release();
    let value = first.await.unwrap();
    for other in others {
        assert_eq!(other.await.unwrap(), value);
    }
    assert_eq!(origin.count(), 1);
    let coalesced = async || {
        let stats = admin(&app).await;
        stats["totals"]["coalescedFills"].as_u64().unwrap_or_else(|| panic!("{stats:#}"))
    };
    until("shared fills are counted", async || coalesced().await >= 1).await;
}

#[tokio::test]
async fn reads_without_the_cache_are_counted_once_it_is_back() {
    let app = App::spawn().await;
    read(app.get_cached("a").await).await;
    app.redis.pause();
    let bypassed = read(app.get_cached("a").await).await;
    assert!(bypassed.header("cache-status").starts_with("tumbler; fwd=bypass"), "{bypassed:?}");
    app.redis.resume();
    let counted = async || {
        // Counters are sent with those of a later read, once the breaker lets them through.
        read(app.get_cached("a").await).await;
        let stats = admin(&app).await;
        stats["totals"]["bypasses"].as_u64().unwrap_or_else(|| panic!("{stats:#}")) >= 1
    };
    until("the bypass is counted", counted).await;
}
