//! The users component's variables, good and bad.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;

use std::time::Duration;

use answer::read;
use blackbox::App;
use serde_json::json;

#[tokio::test]
async fn the_cache_can_be_turned_off() {
    let app = App::builder().variable("cache_enabled", "false").spawn().await;
    let id = app.given_user_id("ada").await;
    for path in [format!("/users/{id}"), "/users".to_owned(), format!("/users?ids={id}"), format!("/users/{}", id + 1)]
    {
        for _ in 0..2 {
            let answer = read(app.get(&path).await).await;
            assert_eq!(answer.header("cache-status"), "tumbler; fwd=bypass; detail=disabled", "{path}");
        }
    }
    let entries: Vec<String> = app.redis.keys().await.into_iter().filter(|key| key.contains(":cache:")).collect();
    assert!(entries.is_empty(), "{entries:?}");
}

#[tokio::test]
async fn entries_live_as_long_as_is_set() {
    let app = App::builder()
        .variable("cache_ttl_user", "1")
        .variable("cache_ttl_users_list", "1")
        .variable("cache_ttl_absent", "1")
        .spawn()
        .await;
    let id = app.given_user_id("ada").await;
    for path in [format!("/users/{id}"), "/users".to_owned(), format!("/users/{}", id + 1)] {
        read(app.get(&path).await).await;
        assert!(read(app.get(&path).await).await.is_hit(), "{path}");
        tokio::time::sleep(Duration::from_millis(1300)).await;
        assert!(!read(app.get(&path).await).await.is_hit(), "{path} outlived its TTL");
    }
}

#[tokio::test]
async fn a_ttl_of_zero_keeps_an_operation_out_of_the_cache() {
    let app = App::builder().variable("cache_ttl_user", "0").spawn().await;
    let id = app.given_user_id("ada").await;
    for _ in 0..2 {
        let answer = read(app.get_user(id).await).await;
        assert_eq!(answer.header("cache-status"), "tumbler; fwd=bypass; detail=disabled");
        read(app.list_users("").await).await;
    }
    assert!(read(app.list_users("").await).await.is_hit(), "the list is another operation");
}

#[tokio::test]
async fn a_bad_value_is_told_in_the_log_and_never_guessed() {
    let table = [
        ("cache_enabled", "yes", "true or false"),
        ("cache_ttl_user", "5m", "seconds"),
        ("cache_ttl_users_list", "-5", "seconds"),
        ("cache_ttl_absent", "-1", "seconds"),
        ("cache_timeout_ms", "0", "milliseconds"),
        ("cache_write_policy", "maybe", "available or consistent"),
        ("redis_url", "", "address of a Redis server"),
    ];
    for (name, value, expected) in table {
        let app = App::builder().variable(name, value).spawn().await;
        for answer in [app.get_user(1).await, app.create_user(&json!({"name": "Al", "email": "a@b.co"})).await] {
            let answer = read(answer).await;
            answer.expect_problem(500, "internal");
            assert!(!answer.body.contains(name), "{answer:?}");
        }
        let log = app.host.output();
        assert!(log.contains(&format!("the variable {name} must be")) && log.contains(expected), "{name}: {log}");
    }
}

#[tokio::test]
async fn an_address_with_its_own_options_keeps_them() {
    let app = App::spawn().await;
    let address = format!("{}?options=-c%20statement_timeout%3D300&application_name=mine", app.database.url());
    let other =
        App::builder().variable("database_url", &address).variable("database_egress", "postgres://*:*").spawn().await;
    let id = other.given_user_id("ada").await;
    let mut db = app.db().await;
    let lock = db.transaction().await.unwrap();
    lock.execute("SELECT FROM users WHERE id = $1 FOR UPDATE", &[&id]).await.unwrap();
    let start = std::time::Instant::now();
    read(other.put_user(id, &json!({"name": "Al"})).await).await.expect_problem(503, "unavailable");
    assert!(start.elapsed() < Duration::from_secs(3), "the address's own limit of 0.3 s: {:?}", start.elapsed());
    let named = lock.query_one("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mine'", &[]).await;
    assert!(named.unwrap().get::<_, i64>(0) > 0);
}
