//! The locks service while nothing is wrong: one holder at a time, who can extend and release, and nobody else.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use answer::{Answer, read};
use blackbox::{App, Grant};
use serde_json::{Value, json};

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

async fn acquire(app: &App, body: Value) -> Answer {
    read(app.acquire_lock(&body).await).await
}

async fn release(app: &App, grant: &Grant) -> Value {
    let answer = read(app.release_lock(&grant.key, &grant.token).await).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

async fn extend(app: &App, grant: &Grant, ttl_ms: u64) -> Value {
    let answer = read(app.extend_lock(&grant.key, &grant.token, ttl_ms).await).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// Waits until Redis has dropped the lock.
async fn until_expired(app: &App, grant: &Grant) {
    let mut redis = app.redis.connection().await;
    while redis::cmd("EXISTS").arg(&grant.key).query_async::<i64>(&mut redis).await.unwrap() == 1 {
        assert!(now_ms() < grant.expires_at + 5_000, "{} is still there", grant.key);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_free_resource_is_granted_and_says_all_about_it() {
    let app = App::builder().patient_locks().spawn().await;
    let before = now_ms();
    let answer = acquire(&app, json!({"resource": "orders/42"})).await;
    let after = now_ms();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!((answer.header("content-type"), answer.header("cache-control")), ("application/json", "no-store"));
    let json = answer.json();
    assert_eq!(json["acquired"], true);
    let grant = Grant::from_json(&json["lock"]).unwrap_or_else(|| panic!("{json}"));
    assert_eq!((grant.key.as_str(), grant.ttl), ("locks:orders/42", 5_000));
    assert!((before + 5_000..=after + 5_000).contains(&grant.expires_at), "{before} {grant:?} {after}");
    // 128 bits, URL-safe.
    assert!(grant.token.len() >= 22, "{grant:?}");
    assert!(grant.token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{grant:?}");
    // A client that knows numbers as doubles must be able to compare them.
    assert!(grant.fencing_token > 0 && grant.fencing_token < 1 << 53, "{grant:?}");

    let mut redis = app.redis.connection().await;
    let stored: String = redis::cmd("GET").arg(&grant.key).query_async(&mut redis).await.unwrap();
    assert_eq!(stored, grant.token);
    // The promise is never longer than the truth.
    let ends: u64 = redis::cmd("PEXPIRETIME").arg(&grant.key).query_async(&mut redis).await.unwrap();
    assert!(grant.expires_at <= ends, "{} > {ends}", grant.expires_at);
}

#[tokio::test]
async fn a_held_resource_is_refused_at_once_with_the_time_that_is_left() {
    let app = App::builder().patient_locks().spawn().await;
    let grant = app.given_lock("orders", 20_000).await;
    let start = std::time::Instant::now();
    let refused = acquire(&app, json!({"resource": "orders"})).await;
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert_eq!(refused.status, 200);
    let json = refused.json();
    assert_eq!(json["acquired"], false);
    let left = json["retryAfter"].as_u64().unwrap_or_else(|| panic!("{json}"));
    assert!((10_000..=20_000).contains(&left), "{json}");
    assert_eq!(json.as_object().unwrap().len(), 2, "{json}");
    assert!(!refused.body.contains(&grant.token));
    // Another resource is nobody's.
    assert_eq!(acquire(&app, json!({"resource": "orders2"})).await.json()["acquired"], true);
}

#[tokio::test]
async fn a_released_resource_is_free_and_its_numbers_go_up() {
    let app = App::builder().patient_locks().spawn().await;
    let mut last = 0;
    let mut tokens = std::collections::HashSet::new();
    for _ in 0..20 {
        let grant = app.given_lock("orders", 5_000).await;
        assert!(grant.fencing_token > last, "{} after {last}", grant.fencing_token);
        assert!(tokens.insert(grant.token.clone()), "a token came twice");
        last = grant.fencing_token;
        assert_eq!(release(&app, &grant).await, json!({"released": true}));
    }
    let mut redis = app.redis.connection().await;
    let _: String = redis::cmd("FLUSHALL").query_async(&mut redis).await.unwrap();
    let grant = app.given_lock("orders", 5_000).await;
    assert!(grant.fencing_token > last, "{} after {last} and a flush", grant.fencing_token);
}

#[tokio::test]
async fn only_the_holder_can_release_and_extend() {
    let app = App::builder().patient_locks().spawn().await;
    let grant = app.given_lock("orders", 30_000).await;
    let thief = Grant { token: "AAAAAAAAAAAAAAAAAAAAAA".to_owned(), ..grant.clone() };
    let last = if grant.token.ends_with('A') { "Q" } else { "A" };
    let almost = Grant { token: format!("{}{last}", &grant.token[..21]), ..grant.clone() };
    for other in [&thief, &almost] {
        assert_eq!(release(&app, other).await, json!({"released": false}));
        assert_eq!(extend(&app, other, 10).await, json!({"extended": false, "reason": "held-by-another"}));
    }
    let mut redis = app.redis.connection().await;
    let left: i64 = redis::cmd("PTTL").arg(&grant.key).query_async(&mut redis).await.unwrap();
    assert!(left > 20_000, "{left}: somebody else has shortened it");
    assert_eq!(release(&app, &grant).await, json!({"released": true}));
}

#[tokio::test]
async fn an_expired_lock_is_told_as_such() {
    let app = App::builder().patient_locks().spawn().await;
    let grant = app.given_lock("orders", 400).await;
    until_expired(&app, &grant).await;
    assert_eq!(release(&app, &grant).await, json!({"released": true, "expired": true}));
    assert_eq!(extend(&app, &grant, 5_000).await, json!({"extended": false, "reason": "expired"}));
    assert_eq!(read(app.show_lock("orders").await).await.json()["held"], false, "an extension revived it");

    let next = app.given_lock("orders", 30_000).await;
    assert!(next.fencing_token > grant.fencing_token);
    assert_eq!(release(&app, &grant).await, json!({"released": false}), "it belongs to somebody else now");
    assert_eq!(extend(&app, &grant, 5_000).await, json!({"extended": false, "reason": "held-by-another"}));
    assert_eq!(release(&app, &next).await, json!({"released": true}));
}

#[tokio::test]
async fn released_twice_is_expired_the_second_time() {
    let app = App::builder().patient_locks().spawn().await;
    let grant = app.given_lock("orders", 5_000).await;
    assert_eq!(release(&app, &grant).await, json!({"released": true}));
    assert_eq!(release(&app, &grant).await, json!({"released": true, "expired": true}));
}

#[tokio::test]
async fn an_extension_sets_the_end_to_the_millisecond() {
    let app = App::builder().patient_locks().spawn().await;
    let grant = app.given_lock("orders", 5_000).await;
    let mut redis = app.redis.connection().await;
    for ttl_ms in [60_001, 12_345, 3_600_000, 1_007] {
        let before = now_ms();
        let json = extend(&app, &grant, ttl_ms).await;
        let after = now_ms();
        let ends: u64 = redis::cmd("PEXPIRETIME").arg(&grant.key).query_async(&mut redis).await.unwrap();
        assert_eq!(json["extended"], true, "{json}");
        let promised = json["expiresAt"].as_u64().unwrap_or_else(|| panic!("{json}"));
        assert!((before + ttl_ms..=after + ttl_ms).contains(&promised), "{before} {promised} {after}, {ttl_ms}");
        assert!((promised..=after + ttl_ms).contains(&ends), "promised {promised}, Redis ends it at {ends}");
    }
}

#[tokio::test]
async fn a_lock_can_be_looked_at_without_its_token() {
    let app = App::builder().patient_locks().spawn().await;
    let free = read(app.show_lock("orders").await).await;
    assert_eq!((free.status.as_u16(), free.header("cache-control")), (200, "no-store"));
    assert_eq!(free.json(), json!({"key": "locks:orders", "held": false, "fencingToken": null}));

    let grant = app.given_lock("orders", 60_000).await;
    let held = read(app.show_lock("orders").await).await;
    let json = held.json();
    assert_eq!((&json["key"], &json["held"]), (&json!("locks:orders"), &json!(true)));
    assert_eq!(json["fencingToken"], grant.fencing_token);
    assert!((50_000..=60_000).contains(&json["ttl"].as_u64().unwrap()), "{json}");
    assert!(!held.body.contains(&grant.token));

    release(&app, &grant).await;
    let json = read(app.show_lock("orders").await).await.json();
    let last = json!({"key": "locks:orders", "held": false, "fencingToken": grant.fencing_token});
    assert_eq!(json, last, "the last number is still known");
}

#[tokio::test]
async fn resources_may_have_any_name() {
    let app = App::builder().patient_locks().spawn().await;
    let longest = "é".repeat(256);
    for (name, path) in [
        ("acquire", "acquire"),
        ("release", "release"),
        ("extend", "extend"),
        ("a/b", "a%2Fb"),
        ("../users", "..%2Fusers"),
        ("a:b:c", "a:b:c"),
        ("locks:x", "locks:x"),
        ("100%", "100%25"),
        ("%2F", "%252F"),
        ("a b?c#d", "a%20b%3Fc%23d"),
        ("a+b", "a+b"),
        ("\u{0}\r\n", "%00%0D%0A"),
        ("*", "*"),
        ("李 \u{1F512}", "%E6%9D%8E%20%F0%9F%94%92"),
        (&longest, &"%C3%A9".repeat(256)),
    ] {
        let grant = app.given_lock(name, 30_000).await;
        assert_eq!(grant.key, format!("locks:{name}"));
        let shown = read(app.show_lock(path).await).await;
        assert_eq!(shown.status, 200, "{path}: {shown:?}");
        let json = shown.json();
        assert_eq!((&json["key"], &json["held"]), (&json!(grant.key), &json!(true)), "{path}");
        assert_eq!(acquire(&app, json!({"resource": name})).await.json()["acquired"], false);
        assert_eq!(extend(&app, &grant, 40_000).await["extended"], true);
        let broken = read(app.break_lock(path).await).await;
        assert_eq!((broken.status.as_u16(), broken.json()), (200, json!({"broken": true})), "{path}");
        assert_eq!(release(&app, &grant).await, json!({"released": true, "expired": true}));
    }
}

/// Whoever wrote it, and whatever it is: what is under a lock's key is in the way, and stays.
#[tokio::test]
async fn what_others_wrote_under_a_locks_key() {
    let app = App::builder().patient_locks().spawn().await;
    let mut redis = app.redis.connection().await;
    redis::cmd("HSET").arg("locks:hash").arg("a").arg(1).query_async::<i64>(&mut redis).await.unwrap();
    redis::cmd("SET").arg("locks:text").arg("x").query_async::<String>(&mut redis).await.unwrap();
    redis::cmd("SET").arg("locks:empty").arg("").query_async::<String>(&mut redis).await.unwrap();
    for resource in ["hash", "text", "empty"] {
        let refused = acquire(&app, json!({"resource": resource})).await;
        assert_eq!((refused.status.as_u16(), &refused.json()["acquired"]), (200, &json!(false)), "{refused:?}");
        let (key, token) = (format!("locks:{resource}"), "AAAAAAAAAAAAAAAAAAAAAA".to_owned());
        let other = Grant { key, token, fencing_token: 0, ttl: 0, expires_at: 0 };
        assert_eq!(release(&app, &other).await, json!({"released": false}));
        assert_eq!(extend(&app, &other, 10).await, json!({"extended": false, "reason": "held-by-another"}));
        let shown = read(app.show_lock(resource).await).await.json();
        assert_eq!((&shown["held"], &shown["ttl"]), (&json!(true), &Value::Null), "{shown}");
    }
    // A counter that somebody has spoilt does not stop the locks.
    for (command, value) in [("SET", "x"), ("SET", "9223372036854775807"), ("SET", "-5"), ("LPUSH", "x")] {
        redis::cmd("DEL").arg("fencing:orders").query_async::<i64>(&mut redis).await.unwrap();
        redis::cmd(command).arg("fencing:orders").arg(value).query_async::<redis::Value>(&mut redis).await.unwrap();
        let grant = app.given_lock("orders", 5_000).await;
        assert!(grant.fencing_token > 0 && grant.fencing_token < 1 << 53, "{command} {value}: {grant:?}");
        assert_eq!(release(&app, &grant).await, json!({"released": true}));
    }
}

#[tokio::test]
async fn it_works_with_an_instance_for_each_request() {
    let app = App::builder().patient_locks().host_arg("--max-instance-reuse-count", "1").spawn().await;
    let mut last = 0;
    for _ in 0..10 {
        let grant = app.given_lock("orders", 20_000).await;
        assert!(grant.fencing_token > last);
        last = grant.fencing_token;
        assert_eq!(acquire(&app, json!({"resource": "orders", "wait": 50})).await.json()["acquired"], false);
        assert_eq!(extend(&app, &grant, 30_000).await["extended"], true);
        assert_eq!(release(&app, &grant).await, json!({"released": true}));
    }
}
