//! The variables of the users component, valid and invalid.

use std::time::{Duration, Instant};

use blackbox::{App, until, within};
use serde_json::json;

#[tokio::test]
async fn the_cache_can_be_turned_off() {
    let app = App::builder().variable("cache_enabled", "false").spawn().await;
    let id = app.given_user_id("ada").await;
    for path in [format!("/users/{id}"), "/users".to_owned(), format!("/users?ids={id}"), format!("/users/{}", id + 1)]
    {
        for _ in 0..2 {
            let response = app.get(&path).await;
            assert_eq!(response.header("cache-status"), "tumbler; fwd=bypass; detail=disabled", "{path}");
        }
    }
    let entries: Vec<String> = app.redis.keys().await.into_iter().filter(|key| key.contains(":cache:")).collect();
    assert!(entries.is_empty(), "{entries:?}");
}

#[tokio::test]
async fn entries_live_as_long_as_their_ttl() {
    let app = App::builder()
        .variable("cache_ttl_user", "1")
        .variable("cache_ttl_users_list", "1")
        .variable("cache_ttl_absent", "1")
        .spawn()
        .await;
    let id = app.given_user_id("ada").await;
    for path in [format!("/users/{id}"), "/users".to_owned(), format!("/users/{}", id + 1)] {
        // On a busy machine, the entry may expire before the next request.
        until("the entry is a hit", async || app.get(&path).await.is_hit()).await;
        let start = Instant::now();
        until("the entry expires", async || !app.get(&path).await.is_hit()).await;
        // A TTL of one second with 10 % jitter. The default TTLs are 30 s and more.
        assert!(start.elapsed() < Duration::from_secs(20), "{path} lived for {:?}", start.elapsed());
    }
}

#[tokio::test]
async fn a_ttl_of_zero_keeps_an_operation_out_of_the_cache() {
    let app = App::builder().variable("cache_ttl_user", "0").spawn().await;
    let id = app.given_user_id("ada").await;
    for _ in 0..2 {
        let response = app.get(format!("/users/{id}")).await;
        assert_eq!(response.header("cache-status"), "tumbler; fwd=bypass; detail=disabled");
        app.get("/users").await;
    }
    assert!(app.get("/users").await.is_hit(), "the list is another operation");
}

#[tokio::test]
async fn an_invalid_value_is_logged_and_every_request_fails() {
    let table = [
        ("cache_enabled", "yes", "true or false"),
        ("cache_ttl_user", "5m", "seconds"),
        ("cache_ttl_users_list", "-5", "seconds"),
        ("cache_ttl_absent", "-1", "seconds"),
        ("cache_timeout_ms", "0", "milliseconds"),
        ("cache_write_policy", "maybe", "available or consistent"),
        ("cache_verify_ratio", "10%", "a number from 0"),
        ("cache_verify_ratio", "1.5", "to 1"),
        ("redis_url", "", "address of a Redis server"),
    ];
    for (name, value, expected) in table {
        let app = App::builder().variable(name, value).spawn().await;
        let user = json!({"name": "Al", "email": "a@b.co"});
        for request in [app.get("/users/1"), app.post("/users").json(user)] {
            let response = request.await;
            response.expect_problem(500, "internal");
            assert!(!response.text().contains(name), "{response:?}");
        }
        let log = app.host.output();
        assert!(log.contains(&format!("the variable {name} must be")) && log.contains(expected), "{name}: {log}");
    }
}

#[tokio::test]
async fn a_database_url_keeps_its_own_options() {
    let app = App::spawn().await;
    let address = format!("{}?options=-c%20statement_timeout%3D300&application_name=mine", app.database.url());
    let other =
        App::builder().variable("database_url", &address).variable("database_egress", "postgres://*:*").spawn().await;
    let id = other.given_user_id("ada").await;
    let mut db = app.db().await;
    let lock = db.transaction().await.unwrap();
    lock.execute("SELECT FROM users WHERE id = $1 FOR UPDATE", &[&id]).await.unwrap();
    // Its own statement_timeout of 0.3 s, not the 5 s of the component.
    within(Duration::from_secs(3), async || {
        other.put(format!("/users/{id}")).json(json!({"name": "Al"})).await.expect_problem(503, "unavailable");
    })
    .await;
    let named = lock.query_one("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mine'", &[]).await;
    assert!(named.unwrap().get::<_, i64>(0) > 0);
}
