//! POST /api/cache/lock/acquire for one resource.

use std::time::Duration;

use blackbox::{App, Grant, within};
use serde_json::{Value, json};

use super::{FOREIGN_TOKEN, acquire, extend, granted, now_ms, release, release_held, show};

#[tokio::test]
async fn a_free_resource_is_granted() {
    let app = App::spawn().await;
    let before = now_ms();
    let response = app.post("/api/cache/lock/acquire").json(json!({"resource": "orders/42"})).await;
    let after = now_ms();
    assert_eq!((response.header("content-type"), response.header("cache-control")), ("application/json", "no-store"));
    let grant = granted(&response.expect_ok());
    assert_eq!((grant.key.as_str(), grant.ttl), ("locks:orders/42", 5_000));
    assert!((before + 5_000..=after + 5_000).contains(&grant.expires_at), "{before} {grant:?} {after}");
    // 128 bits, URL-safe.
    assert!(grant.token.len() >= 22, "{grant:?}");
    assert!(grant.token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{grant:?}");
    // Exact also for clients whose numbers are doubles.
    assert!(grant.fencing_token > 0 && grant.fencing_token < 1 << 53, "{grant:?}");

    let mut both = redis::pipe();
    both.get(&grant.key).cmd("PEXPIRETIME").arg(&grant.key);
    let (stored, ends): (String, u64) = both.query_async(&mut app.redis.connection().await).await.unwrap();
    assert_eq!(stored, grant.token);
    // `expiresAt` is conservative: counted from before the request was sent to Redis.
    assert!(grant.expires_at <= ends, "{} > {ends}", grant.expires_at);
}

#[tokio::test]
async fn a_held_resource_is_refused_at_once_with_the_remaining_time() {
    let app = App::spawn().await;
    let grant = app.given_lock("orders", 60_000).await;
    let acquire_again = async || app.post("/api/cache/lock/acquire").json(json!({"resource": "orders"})).await;
    let refused = within(Duration::from_secs(2), acquire_again).await;
    let json = refused.expect_ok();
    assert_eq!(json["acquired"], false);
    let left = json["retryAfter"].as_u64().unwrap_or_else(|| panic!("{json}"));
    assert!((30_000..=60_000).contains(&left), "{json}");
    assert_eq!(json.as_object().unwrap().len(), 2, "{json}");
    assert!(!refused.text().contains(&grant.token));
    // Another resource is free.
    assert_eq!(acquire(&app, json!({"resource": "orders2"})).await["acquired"], true);
}

/// RFC 8259, section 6: the value of a number counts, not how it is written.
#[tokio::test]
async fn a_whole_number_may_have_a_point_or_an_exponent() {
    let app = App::spawn().await;
    for (name, ttl) in ["60000", "60000.0", "6e4", "6E+4", "600000e-1"].iter().enumerate() {
        let body = format!(r#"{{"resource":"{name}","ttl":{ttl},"wait":0.0}}"#);
        let grant = granted(&app.post("/api/cache/lock/acquire").json_text(body).await.expect_ok());
        assert_eq!(grant.ttl, 60_000, "{ttl}");
        let body = format!(r#"{{"key":"{}","token":"{}","ttl":{ttl}}}"#, grant.key, grant.token);
        assert_eq!(app.post("/api/cache/lock/extend").json_text(body).await.expect_ok()["extended"], true, "{ttl}");
    }
    for ttl in ["60000.5", "6e-4", "1e3000", "0.0", "6e9"] {
        let body = format!(r#"{{"resource":"orders","ttl":{ttl}}}"#);
        let refused = app.post("/api/cache/lock/acquire").json_text(body).await;
        assert_eq!(refused.expect_errors(422, "validation"), ["/ttl"], "{ttl}");
    }
}

#[tokio::test]
async fn resources_can_have_any_name() {
    let app = App::spawn().await;
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
        let json = show(&app, path).await;
        assert_eq!((&json["key"], &json["held"]), (&json!(grant.key), &json!(true)), "{path}");
        assert_eq!(acquire(&app, json!({"resource": name})).await["acquired"], false);
        assert_eq!(extend(&app, &grant, 40_000).await["extended"], true);
        let broken = app.admin().delete(format!("/admin/locks/{path}")).await;
        assert_eq!((broken.status(), broken.json()), (200, json!({"broken": true})), "{path}");
        assert_eq!(release(&app, &grant).await, json!({"released": true, "expired": true}));
    }
}

/// A key that another program writes under the name of a lock counts as held, whatever its type, and is never deleted.
#[tokio::test]
async fn keys_that_others_write_under_the_prefix_of_locks_stay() {
    let app = App::spawn().await;
    app.redis.run(&["HSET", "locks:hash", "a", "1"]).await;
    app.redis.run(&["SET", "locks:text", "x"]).await;
    app.redis.run(&["SET", "locks:empty", ""]).await;
    for resource in ["hash", "text", "empty"] {
        assert_eq!(acquire(&app, json!({"resource": resource})).await["acquired"], false);
        let (key, token) = (format!("locks:{resource}"), FOREIGN_TOKEN.to_owned());
        let other = Grant { key, token, fencing_token: 0, ttl: 0, expires_at: 0 };
        assert_eq!(release(&app, &other).await, json!({"released": false}));
        assert_eq!(extend(&app, &other, 10).await, json!({"extended": false, "reason": "held-by-another"}));
        let shown = show(&app, resource).await;
        assert_eq!((&shown["held"], &shown["ttl"]), (&json!(true), &Value::Null), "{shown}");
    }
    // A counter of fencing tokens that another program has overwritten does not stop the locks.
    for (command, value) in [("SET", "x"), ("SET", "9223372036854775807"), ("SET", "-5"), ("LPUSH", "x")] {
        app.redis.run(&["DEL", "fencing:orders"]).await;
        app.redis.run(&[command, "fencing:orders", value]).await;
        let grant = app.given_lock("orders", 60_000).await;
        assert!(grant.fencing_token > 0 && grant.fencing_token < 1 << 53, "{command} {value}: {grant:?}");
        release_held(&app, &grant).await;
    }
}

#[tokio::test]
async fn locks_work_with_an_instance_for_each_request() {
    let app = App::builder().instance_per_request().spawn().await;
    let mut last = 0;
    for _ in 0..10 {
        let grant = app.given_lock("orders", 20_000).await;
        assert!(grant.fencing_token > last);
        last = grant.fencing_token;
        assert_eq!(acquire(&app, json!({"resource": "orders", "wait": 50})).await["acquired"], false);
        assert_eq!(extend(&app, &grant, 30_000).await["extended"], true);
        release_held(&app, &grant).await;
    }
}
