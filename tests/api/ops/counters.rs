//! The counters of caches and locks in GET /metrics: they rise by exactly what clients did.

use blackbox::{App, Grant, Metrics, Origin, Reply, until};
use serde_json::json;

/// The counters of the cache, and their members in GET /admin/cache/stats.
const CACHE: [(&str, &str); 7] = [
    ("tumbler_cache_hits_total", "hits"),
    ("tumbler_cache_misses_total", "misses"),
    ("tumbler_cache_fills_total", "fills"),
    ("tumbler_cache_bypasses_total", "bypasses"),
    ("tumbler_cache_collapsed_total", "coalescedFills"),
    ("tumbler_cache_corrupt_total", "corrupt"),
    ("tumbler_cache_errors_total", "errors"),
];

fn of_cache(metrics: &Metrics, name: &str, module: &str, operation: &str) -> u64 {
    metrics.counter(&format!("tumbler_cache_{name}_total"), &[("module", module), ("operation", operation)])
}

fn locks(metrics: &Metrics) -> [u64; 5] {
    ["acquired", "contended", "released", "lost", "broken"]
        .map(|event| metrics.counter(&format!("tumbler_lock_{event}_total"), &[]))
}

/// Waits until these are the counters of the locks. None of them may be too high on the way.
async fn until_locks(app: &App, expected: [u64; 5]) {
    until(&format!("{expected:?}"), async || {
        let found = locks(&app.metrics().await);
        assert!(found.iter().zip(expected).all(|(found, expected)| *found <= expected), "{found:?} not {expected:?}");
        found == expected
    })
    .await;
}

#[tokio::test]
async fn reads_of_caches_are_counted_by_module_and_operation() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    for _ in 0..4 {
        app.get(format!("/users/{id}")).await.expect_ok();
        app.get("/users?limit=3").await.expect_ok();
    }
    app.get("/api/cache/a").await.expect_ok();
    app.post("/api/cache/mget").json(json!({"keys": ["a", "b", "c"]})).await.expect_ok();
    let seller = app.given_seller_of("ada", id).await;
    seller.show().await;
    seller.show().await;
    let mut metrics = app.metrics().await;
    until("all hits are counted", async || {
        metrics = app.metrics().await;
        metrics.counter("tumbler_cache_hits_total", &[("module", "users"), ("operation", "getById")]) >= 3
            && of_cache(&metrics, "hits", "kv", "get") == 1
            && metrics.counter("tumbler_cache_hits_total", &[("module", "sellers")]) >= 1
    })
    .await;
    // Sellers asked for the user, which is another hit.
    assert_eq!(of_cache(&metrics, "hits", "users", "getById"), 4);
    assert_eq!(of_cache(&metrics, "misses", "users", "getById"), 1);
    assert_eq!(of_cache(&metrics, "fills", "users", "getById"), 1);
    assert_eq!((of_cache(&metrics, "misses", "kv", "get"), of_cache(&metrics, "fills", "kv", "get")), (3, 1));
}

#[tokio::test]
async fn the_metrics_of_the_cache_are_those_of_its_statistics() {
    let origin = Origin::start().await;
    origin.reply("/broken", Reply::status(500));
    let app = App::builder().origin(&origin).spawn().await;
    let id = app.given_user_id("ada").await;
    let stored = app.get("/api/cache/a").await;
    let entry = stored.cache_parameter("key").unwrap().trim_matches('"').to_owned();
    // Another program writes into the entry.
    app.redis.run(&["SET", &entry, "not JSON", "EX", "60"]).await;
    app.redis.end_leases().await;
    for _ in 0..3 {
        app.get(format!("/users/{id}")).await.expect_ok();
        app.get("/api/cache/a").await.expect_ok();
        app.get("/api/cache/broken").await.expect_problem(502, "bad-gateway");
    }
    // Requests for statistics do not count in the cache, so both are the same at some time.
    until("both agree", async || {
        let stats = app.admin().get("/admin/cache/stats").await.expect_ok();
        let metrics = app.metrics().await;
        let modules = stats["modules"].as_object().unwrap();
        modules
            .iter()
            .flat_map(|(module, of)| of["operations"].as_object().unwrap().iter().map(move |op| (module, op)))
            .all(|(module, (operation, counts))| {
                CACHE.iter().all(|(metric, member)| {
                    let labels = [("module", module.as_str()), ("operation", operation.as_str())];
                    counts[member].as_u64() == Some(metrics.counter(metric, &labels))
                })
            })
            && stats["totals"]["hits"].as_u64() >= Some(4)
            && stats["totals"]["corrupt"].as_u64() == Some(1)
    })
    .await;
    let metrics = app.metrics().await;
    assert_eq!((of_cache(&metrics, "corrupt", "kv", "get"), of_cache(&metrics, "hits", "kv", "get")), (1, 2));
    assert_eq!(
        of_cache(&metrics, "misses", "kv", "get"),
        metrics.counter("tumbler_cache_misses_total", &[("module", "kv")])
    );
}

#[tokio::test]
async fn what_happens_to_locks_is_counted() {
    let app = App::spawn().await;
    until_locks(&app, [0; 5]).await;
    let acquire =
        |resource: &str| app.post("/api/cache/lock/acquire").json(json!({"resource": resource, "ttl": 600_000}));
    let orders = app.given_lock("orders", 600_000).await;
    until_locks(&app, [1, 0, 0, 0, 0]).await;
    for _ in 0..2 {
        assert_eq!(acquire("orders").await.expect_ok()["acquired"], false);
    }
    until_locks(&app, [1, 2, 0, 0, 0]).await;
    assert_eq!(app.extend(&orders, 600_000).await.expect_ok()["extended"], true);
    assert_eq!(app.release(&orders).await.expect_ok()["released"], true);
    until_locks(&app, [1, 2, 1, 0, 0]).await;
    // It is not held any more.
    assert_eq!(app.release(&orders).await.expect_ok()["expired"], true);
    assert_eq!(app.extend(&orders, 1_000).await.expect_ok()["extended"], false);
    until_locks(&app, [1, 2, 1, 2, 0]).await;

    let broken: Grant = app.given_lock("broken", 600_000).await;
    let breaks = async || app.admin().delete("/admin/locks/broken").await.expect_ok()["broken"].clone();
    assert_eq!((breaks().await, breaks().await), (json!(true), json!(false)));
    until_locks(&app, [2, 2, 1, 2, 1]).await;
    assert_eq!(app.release(&broken).await.expect_ok()["expired"], true);
    until_locks(&app, [2, 2, 1, 3, 1]).await;

    let several = app.post("/api/cache/lock/acquire").json(json!({"resources": ["a", "b", "c"], "ttl": 600_000})).await;
    assert_eq!(several.expect_ok()["acquired"], true, "{several:?}");
    until_locks(&app, [5, 2, 1, 3, 1]).await;
    // Refused requests are no attempts.
    app.post("/api/cache/lock/acquire").json(json!({})).await.expect_problem(422, "validation");
    app.get("/api/cache/lock/orders").await.expect_ok();
    until_locks(&app, [5, 2, 1, 3, 1]).await;
}

#[tokio::test]
async fn counts_of_an_outage_are_sent_when_redis_is_back() {
    let mut app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    app.get(format!("/users/{id}")).await.expect_ok();
    app.redis.kill().await.unwrap();
    for _ in 0..5 {
        assert!(app.get(format!("/users/{id}")).await.is_bypass());
    }
    app.redis.restart().await.unwrap();
    until("the bypasses are counted", async || {
        // Counters are sent with those of later requests.
        app.get(format!("/users/{id}")).await.expect_ok();
        let metrics = app.get("/metrics").await;
        metrics.status() == 200 && of_cache(&Metrics::read(&metrics), "bypasses", "users", "getById") >= 5
    })
    .await;
}
