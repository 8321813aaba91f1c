//! What clients and Redis see of the cache: Cache-Status, one command per hit, entries that writes outdate.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;

use std::time::Duration;

use answer::{Answer, read};
use blackbox::App;
use serde_json::json;

/// The value of a parameter of Cache-Status (RFC 9211).
fn parameter<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let mut parameters = answer.header("cache-status").split("; ").skip(1);
    parameters.find_map(|parameter| parameter.strip_prefix(name)?.strip_prefix('='))
}

async fn flush(app: &App) {
    let _: String = redis::cmd("FLUSHALL").query_async(&mut app.redis.connection().await).await.unwrap();
}

#[tokio::test]
async fn the_first_read_is_stored_and_the_second_is_a_hit() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    let table = [
        (format!("/users/{id}"), format!("user:cache:{id}-v"), 300),
        ("/users".to_owned(), "users:cache:v".to_owned(), 180),
        ("/users?limit=7".to_owned(), "users:cache:v".to_owned(), 180),
    ];
    for (path, key, ttl) in table {
        let miss = read(app.get(&path).await).await;
        assert!(miss.header("cache-status").starts_with("tumbler; fwd=miss; stored"), "{path}: {miss:?}");
        let hit = read(app.get(&path).await).await;
        assert!(hit.is_hit(), "{path}: {hit:?}");
        assert_eq!(hit.body, miss.body);
        for answer in [&miss, &hit] {
            let named = parameter(answer, "key").unwrap().trim_matches('"');
            assert!(named.starts_with(&key), "{path}: {answer:?}");
            let left: u64 = parameter(answer, "ttl").unwrap().parse().unwrap();
            assert!((ttl * 9 / 10 - 5..=ttl * 11 / 10).contains(&left), "{path}: {left} s of {ttl}");
            let stored: i64 =
                redis::cmd("TTL").arg(named).query_async(&mut app.redis.connection().await).await.unwrap();
            assert!(stored.abs_diff(left.cast_signed()) <= 2, "{path}: the entry lives {stored} s, not {left}");
        }
        let named = parameter(&hit, "key").unwrap().trim_matches('"');
        let cached: String = redis::cmd("GET").arg(named).query_async(&mut app.redis.connection().await).await.unwrap();
        assert_eq!(cached, hit.body, "the entry is the answer, byte for byte");
    }
}

#[tokio::test]
async fn a_hit_costs_one_command() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    for path in [format!("/users/{id}"), "/users".to_owned(), "/users?limit=5".to_owned()] {
        // Enough for an instance's first look, and for counters to be written.
        for _ in 0..3 {
            read(app.get(&path).await).await;
        }
        let mut monitor = app.redis.monitor().await;
        monitor.settle().await;
        for _ in 0..20 {
            assert!(read(app.get(&path).await).await.is_hit());
        }
        let commands = monitor.commands().await;
        // Counters are sent after the answers: no client waits for them.
        let reads: Vec<_> = commands.iter().filter(|command| command.name != "HINCRBY").collect();
        assert_eq!(reads.len(), 20, "{path}: {reads:?}");
        assert!(reads.iter().all(|command| command.name == "MGET"), "{path}: {reads:?}");
    }
}

#[tokio::test]
async fn every_write_outdates_the_user_and_the_list() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    let paths = [format!("/users/{id}"), "/users".to_owned(), "/users?limit=5".to_owned()];
    for method in [reqwest::Method::PUT, reqwest::Method::PATCH] {
        for path in &paths {
            read(app.get(path).await).await;
            assert!(read(app.get(path).await).await.is_hit(), "{path}");
        }
        let changed = app.request(method.clone(), &paths[0]).json(&json!({"name": "Al"})).send().await.unwrap();
        let version = read(changed).await.json()["version"].clone();
        for path in &paths {
            let after = read(app.get(path).await).await;
            assert!(!after.is_hit(), "{method}, {path}: {after:?}");
            assert!(after.body.contains(&format!("\"version\":{version}")), "{method}, {path}: {after:?}");
        }
    }
    read(app.get("/users").await).await;
    app.given_user("bob").await;
    assert!(!read(app.get("/users").await).await.is_hit(), "a creation outdates the list");
    assert!(read(app.get(&paths[0]).await).await.is_hit(), "and no other user");
    app.delete_user(id).await;
    for path in &paths {
        assert!(!read(app.get(path).await).await.is_hit(), "DELETE, {path}");
    }
}

#[tokio::test]
async fn a_missing_user_is_cached_and_a_creation_shows_at_once() {
    let app = App::builder().log_statements().spawn().await;
    let id = app.given_user_id("ada").await;
    let next = id + 1;
    let first = read(app.get_user(next).await).await;
    first.expect_problem(404, "not-found");
    assert!(first.header("cache-status").starts_with("tumbler; fwd=miss; stored"), "{first:?}");
    let left: u64 = parameter(&first, "ttl").unwrap().parse().unwrap();
    assert!((25..=33).contains(&left), "a short TTL: {left}");
    let before = app.database.statements().len();
    let second = read(app.get_user(next).await).await;
    second.expect_problem(404, "not-found");
    assert!(second.is_hit(), "{second:?}");
    assert_eq!(app.database.statements().len(), before, "the database is not asked again");
    let batch = read(app.list_users(&format!("?ids={next}")).await).await;
    assert_eq!((batch.body.as_str(), batch.is_hit()), ("[]", true));

    assert_eq!(app.given_user_id("bob").await, next);
    assert_eq!(app.get_user(next).await.status(), 200);
    // The same through a batch, whose ids are drawn together.
    for id in next + 1..=next + 3 {
        read(app.get_user(id).await).await.expect_problem(404, "not-found");
    }
    let user = |n: i64| json!({"name": "Al", "email": format!("u{n}@b.co")});
    assert_eq!(app.create_users(&json!([user(1), user(2), user(3)])).await.status(), 201);
    for id in next + 1..=next + 3 {
        assert_eq!(app.get_user(id).await.status(), 200);
    }
}

#[tokio::test]
async fn equal_questions_share_an_entry_and_different_ones_do_not() {
    let app = App::spawn().await;
    for name in ["ada", "bob", "eve"] {
        app.given_user(name).await;
    }
    read(app.list_users("?limit=2&isActive=true").await).await;
    assert!(read(app.list_users("?isActive=true&limit=2").await).await.is_hit(), "in another order");
    read(app.list_users("?email=ada@example.org").await).await;
    assert!(read(app.list_users("?email=ADA%40example.org").await).await.is_hit(), "written otherwise");
    read(app.list_users("").await).await;
    assert!(read(app.list_users("?limit=100").await).await.is_hit(), "the default spelled out");
    for other in ["?limit=3", "?isActive=false", "?email=bob@example.org", "?limit=2&isActive=false"] {
        assert!(!read(app.list_users(other).await).await.is_hit(), "{other}");
    }
}

#[tokio::test]
async fn hits_and_misses_are_counted_in_redis() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    for _ in 0..10 {
        read(app.get_user(id).await).await;
    }
    let counted = async || {
        let mut connection = app.redis.connection().await;
        let hash: std::collections::HashMap<String, u64> =
            redis::cmd("HGETALL").arg("cache:stats").query_async(&mut connection).await.unwrap();
        let of = |event: &str| hash.get(&format!("users:getById:{event}")).copied().unwrap_or(0);
        (of("hits"), of("misses"))
    };
    // They come after the answers; reads go on so that an instance has a chance to send them.
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let (hits, misses) = counted().await;
        if hits >= 9 && misses >= 1 {
            return;
        }
        read(app.get_user(id).await).await;
    }
    panic!("{:?}", counted().await);
}

#[tokio::test]
async fn an_entry_that_was_evicted_is_stored_again() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    read(app.get_user(id).await).await;
    flush(&app).await;
    assert!(!read(app.get_user(id).await).await.is_hit());
    assert!(read(app.get_user(id).await).await.is_hit());
}

#[tokio::test]
async fn everything_holds_with_a_fresh_instance_for_each_request() {
    let app = App::builder().host_arg("--max-instance-reuse-count", "1").spawn().await;
    let id = app.given_user_id("ada").await;
    let miss = read(app.get_user(id).await).await;
    assert!(miss.header("cache-status").starts_with("tumbler; fwd=miss; stored"), "{miss:?}");
    for _ in 0..5 {
        let hit = read(app.get_user(id).await).await;
        assert!(hit.is_hit() && hit.body == miss.body, "{hit:?}");
    }
    for version in 2..6 {
        let changed = read(app.put_user(id, &json!({"name": format!("Ada {version}")})).await).await;
        assert_eq!(changed.json()["version"], version);
        let after = read(app.get_user(id).await).await;
        assert_eq!((after.is_hit(), &after.body), (false, &changed.body));
        assert!(read(app.get_user(id).await).await.is_hit());
        assert_eq!(read(app.list_users("").await).await.body, format!("[{}]", changed.body));
    }
    assert_eq!(app.delete_user(id).await.status(), 204);
    assert_eq!(app.get_user(id).await.status(), 404);
}
