//! POST /api/cache/lock/acquire for several resources: all are granted, or none.

use blackbox::{App, Grant};
use serde_json::{Value, json};

use super::{acquire, release_held, show};

fn grants(json: &Value) -> Vec<Grant> {
    let locks = json["locks"].as_array().unwrap_or_else(|| panic!("{json} grants nothing"));
    locks.iter().map(|lock| Grant::from_json(lock).unwrap_or_else(|| panic!("{lock}"))).collect()
}

#[tokio::test]
async fn all_are_granted_in_the_order_of_the_request() {
    let app = App::spawn().await;
    let json = acquire(&app, json!({"resources": ["c", "a", "b"], "ttl": 60_000})).await;
    assert_eq!(json["acquired"], true);
    let grants = grants(&json);
    let keys: Vec<_> = grants.iter().map(|grant| grant.key.as_str()).collect();
    assert_eq!(keys, ["locks:c", "locks:a", "locks:b"]);
    for grant in &grants {
        let resource = grant.key.strip_prefix("locks:").unwrap();
        assert_eq!(show(&app, resource).await["held"], true);
        assert_eq!(acquire(&app, json!({"resource": resource})).await["acquired"], false);
    }
    for grant in &grants {
        release_held(&app, grant).await;
    }
}

#[tokio::test]
async fn a_list_of_one_resource_returns_a_list() {
    let app = App::spawn().await;
    let json = acquire(&app, json!({"resources": ["a"]})).await;
    assert_eq!(grants(&json).len(), 1);
    assert!(json.get("lock").is_none(), "{json}");
}

#[tokio::test]
async fn one_held_resource_keeps_all_others_free() {
    let app = App::spawn().await;
    let sixteen: Vec<String> = (0..16).map(|n| format!("r{n:02}")).collect();
    for held in ["r00", "r07", "r15"] {
        let grant = app.given_lock(held, 60_000).await;
        let json = acquire(&app, json!({"resources": sixteen})).await;
        assert_eq!(json["acquired"], false, "{json}");
        assert!((1..=60_000).contains(&json["retryAfter"].as_u64().unwrap()), "{json}");
        let locks: Vec<String> = app.redis.ask(&["KEYS", "locks:*"]).await;
        assert_eq!(locks, [format!("locks:{held}")], "something was left behind");
        app.release(&grant).await;
    }
    assert_eq!(acquire(&app, json!({"resources": sixteen})).await["acquired"], true);
}

#[tokio::test]
async fn opposite_orders_do_not_deadlock() {
    let app = App::spawn().await;
    // A deadlock would last longer than the requests wait.
    let worker = async |resources: Value| {
        for _ in 0..20 {
            let json = acquire(&app, json!({"resources": resources, "ttl": 600_000, "wait": 30_000})).await;
            assert_eq!(json["acquired"], true, "{json}");
            for grant in grants(&json) {
                app.release(&grant).await;
            }
        }
    };
    tokio::join!(
        worker(json!(["a", "b", "c"])),
        worker(json!(["c", "b", "a"])),
        worker(json!(["b", "c", "a"])),
        worker(json!(["c", "a"]))
    );
}

#[tokio::test]
async fn a_killed_host_leaves_no_lock_beyond_its_ttl() {
    let mut app = App::spawn().await;
    let sixteen: Vec<String> = (0..16).map(|n| format!("r{n:02}")).collect();
    let body = json!({"resources": sixteen, "ttl": 1_000});
    let mut partial = 0;
    for _ in 0..5 {
        let request = app.post("/api/cache/lock/acquire").json(&body);
        let sent = tokio::spawn(async move { drop(request.send().await) });
        // Until the first of them is set. No pause: the host is killed before the last is set.
        let mut redis = app.redis.connection().await;
        while redis::cmd("DBSIZE").query_async::<i64>(&mut redis).await.unwrap() == 0 && !sent.is_finished() {}
        app.kill_host().await;
        sent.await.unwrap();
        let held: Vec<String> = app.redis.ask(&["KEYS", "locks:*"]).await;
        partial += usize::from(!held.is_empty() && held.len() < 16);
        for key in &held {
            let left: i64 = app.redis.ask(&["PTTL", key]).await;
            assert!((-2..=1_000).contains(&left) && left != -1, "{key} stays for {left} ms");
        }
        app.restart_host().await;
        let all = acquire(&app, json!({"resources": sixteen, "ttl": 60_000, "wait": 20_000})).await;
        assert_eq!(all["acquired"], true, "{all}");
        for grant in grants(&all) {
            app.release(&grant).await;
        }
        app.redis.run(&["FLUSHALL"]).await;
    }
    println!("{partial} of 5 kills came between the first lock and the last");
}
