//! Several resources in one request: all or none, whatever happens.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;

use std::time::{Duration, Instant};

use answer::read;
use blackbox::{App, Grant};
use serde_json::{Value, json};

async fn acquire(app: &App, body: Value) -> Value {
    let answer = read(app.acquire_lock(&body).await).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn grants(json: &Value) -> Vec<Grant> {
    let locks = json["locks"].as_array().unwrap_or_else(|| panic!("{json} grants nothing"));
    locks.iter().map(|lock| Grant::from_json(lock).unwrap_or_else(|| panic!("{lock}"))).collect()
}

async fn is_held(app: &App, resource: &str) -> bool {
    read(app.show_lock(resource).await).await.json()["held"].as_bool().unwrap()
}

#[tokio::test]
async fn all_are_granted_in_the_order_of_the_request() {
    let app = App::builder().patient_locks().spawn().await;
    let json = acquire(&app, json!({"resources": ["c", "a", "b"], "ttl": 30_000})).await;
    assert_eq!(json["acquired"], true);
    let grants = grants(&json);
    let keys: Vec<_> = grants.iter().map(|grant| grant.key.as_str()).collect();
    assert_eq!(keys, ["locks:c", "locks:a", "locks:b"]);
    for grant in &grants {
        let resource = grant.key.strip_prefix("locks:").unwrap();
        assert!(is_held(&app, resource).await);
        assert_eq!(acquire(&app, json!({"resource": resource})).await["acquired"], false);
    }
    for grant in &grants {
        let released = read(app.release_lock(&grant.key, &grant.token).await).await;
        assert_eq!(released.json(), json!({"released": true}));
    }
}

#[tokio::test]
async fn a_list_of_one_is_a_list() {
    let app = App::builder().patient_locks().spawn().await;
    let json = acquire(&app, json!({"resources": ["a"]})).await;
    assert_eq!(grants(&json).len(), 1);
    assert!(json.get("lock").is_none(), "{json}");
}

#[tokio::test]
async fn one_that_is_held_keeps_all_others_free() {
    let app = App::builder().patient_locks().spawn().await;
    let sixteen: Vec<String> = (0..16).map(|n| format!("r{n:02}")).collect();
    for held in ["r00", "r07", "r15"] {
        let grant = app.given_lock(held, 30_000).await;
        let json = acquire(&app, json!({"resources": sixteen})).await;
        assert_eq!(json["acquired"], false, "{json}");
        assert!((1..=30_000).contains(&json["retryAfter"].as_u64().unwrap()), "{json}");
        let mut redis = app.redis.connection().await;
        let locks: Vec<String> = redis::cmd("KEYS").arg("locks:*").query_async(&mut redis).await.unwrap();
        assert_eq!(locks, [format!("locks:{held}")], "something was left behind");
        read(app.release_lock(&grant.key, &grant.token).await).await;
    }
    assert_eq!(acquire(&app, json!({"resources": sixteen})).await["acquired"], true);
}

#[tokio::test]
async fn opposite_orders_do_not_block_each_other() {
    let app = App::builder().patient_locks().spawn().await;
    let start = Instant::now();
    let worker = async |resources: Value| {
        for _ in 0..20 {
            let json = acquire(&app, json!({"resources": resources, "ttl": 10_000, "wait": 20_000})).await;
            assert_eq!(json["acquired"], true, "{json}");
            for grant in grants(&json) {
                read(app.release_lock(&grant.key, &grant.token).await).await;
            }
        }
    };
    tokio::join!(
        worker(json!(["a", "b", "c"])),
        worker(json!(["c", "b", "a"])),
        worker(json!(["b", "c", "a"])),
        worker(json!(["c", "a"]))
    );
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}: they waited for each other", start.elapsed());
}

#[tokio::test]
async fn a_host_that_is_killed_half_way_leaves_nothing_beyond_the_ttl() {
    let mut app = App::builder().patient_locks().spawn().await;
    let sixteen: Vec<String> = (0..16).map(|n| format!("r{n:02}")).collect();
    let body = json!({"resources": sixteen, "ttl": 1_000});
    let mut half_way = 0;
    for _ in 0..5 {
        let request = app.request(reqwest::Method::POST, "/api/cache/lock/acquire").json(&body);
        let sent = tokio::spawn(async move { drop(request.send().await) });
        // Until some of them are there.
        let mut redis = app.redis.connection().await;
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(5) {
            let held: i64 = redis::cmd("DBSIZE").query_async(&mut redis).await.unwrap();
            if held > 0 {
                break;
            }
        }
        app.kill_host().await;
        sent.await.unwrap();
        let held: Vec<String> = redis::cmd("KEYS").arg("locks:*").query_async(&mut redis).await.unwrap();
        half_way += usize::from(!held.is_empty() && held.len() < 16);
        for key in &held {
            let left: i64 = redis::cmd("PTTL").arg(key).query_async(&mut redis).await.unwrap();
            assert!((-2..=1_000).contains(&left) && left != -1, "{key} stays for {left} ms");
        }
        app.restart_host().await;
        let all = acquire(&app, json!({"resources": sixteen, "ttl": 30_000, "wait": 5_000})).await;
        assert_eq!(all["acquired"], true, "{all}");
        for grant in grants(&all) {
            read(app.release_lock(&grant.key, &grant.token).await).await;
        }
        let _: String = redis::cmd("FLUSHALL").query_async(&mut redis).await.unwrap();
    }
    println!("{half_way} of 5 kills came half-way");
}
