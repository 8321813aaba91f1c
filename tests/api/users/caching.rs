//! The cache of users: `Cache-Status`, one Redis command for a hit, entries that writes outdate.

use std::collections::HashMap;

use blackbox::{App, of_usual_instance, until};
use reqwest::Method;
use serde_json::json;

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
        let miss = app.get(&path).await;
        assert!(miss.is_stored(), "{path}: {miss:?}");
        let hit = app.get(&path).await;
        assert!(hit.is_hit(), "{path}: {hit:?}");
        assert_eq!(hit.text(), miss.text());
        for response in [&miss, &hit] {
            let named = response.cache_parameter("key").unwrap().trim_matches('"');
            assert!(named.starts_with(&key), "{path}: {response:?}");
            let left = response.ttl();
            assert!((ttl * 9 / 10 - 5..=ttl * 11 / 10).contains(&left), "{path}: {left} s of {ttl}");
            // It was asked for later than the response was sent.
            let stored: u64 = app.redis.ask(&["TTL", named]).await;
            assert!((left.saturating_sub(30)..=left + 2).contains(&stored), "{path}: {stored} s left, not {left}");
        }
        let named = hit.cache_parameter("key").unwrap().trim_matches('"');
        let cached: String = app.redis.ask(&["GET", named]).await;
        assert_eq!(cached, hit.text(), "the entry is the body, byte for byte");
    }
}

#[tokio::test]
async fn a_hit_costs_one_command() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    for path in [format!("/users/{id}"), "/users".to_owned(), "/users?limit=5".to_owned()] {
        // Until the entry is stored and the instance knows its version.
        for _ in 0..3 {
            app.get(&path).await;
        }
        let mut monitor = app.redis.monitor().await;
        monitor.settle().await;
        for _ in 0..20 {
            assert!(app.get(&path).await.is_hit());
        }
        let commands = monitor.commands().await;
        // Counters are sent after the responses: no client waits for them.
        let reads = of_usual_instance(&commands);
        assert!((1..=20).contains(&reads.len()), "{path}: {reads:?}");
        assert!(reads.iter().all(|command| command.name == "MGET"), "{path}: {reads:?}");
    }
}

#[tokio::test]
async fn every_write_outdates_the_user_and_the_list() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    let paths = [format!("/users/{id}"), "/users".to_owned(), "/users?limit=5".to_owned()];
    for method in [Method::PUT, Method::PATCH] {
        for path in &paths {
            app.get(path).await;
            assert!(app.get(path).await.is_hit(), "{path}");
        }
        let changed = app.request(method.clone(), &paths[0]).json(json!({"name": "Al"})).await;
        let version = changed.json()["version"].clone();
        for path in &paths {
            let after = app.get(path).await;
            assert!(!after.is_hit(), "{method}, {path}: {after:?}");
            assert!(after.text().contains(&format!("\"version\":{version}")), "{method}, {path}: {after:?}");
        }
    }
    app.get("/users").await;
    app.given_user("bob").await;
    assert!(!app.get("/users").await.is_hit(), "a creation outdates the list");
    assert!(app.get(&paths[0]).await.is_hit(), "it does not outdate other users");
    app.delete(format!("/users/{id}")).await;
    for path in &paths {
        assert!(!app.get(path).await.is_hit(), "DELETE, {path}");
    }
}

#[tokio::test]
async fn the_absence_of_a_user_is_cached_until_the_user_is_created() {
    let app = App::builder().log_statements().spawn().await;
    let id = app.given_user_id("ada").await;
    let next = id + 1;
    let first = app.get(format!("/users/{next}")).await;
    first.expect_problem(404, "not-found");
    assert!(first.is_stored(), "{first:?}");
    assert!((25..=33).contains(&first.ttl()), "a short TTL: {first:?}");
    let before = app.database.statements().len();
    let second = app.get(format!("/users/{next}")).await;
    second.expect_problem(404, "not-found");
    assert!(second.is_hit(), "{second:?}");
    assert_eq!(app.database.statements().len(), before, "the database is not queried again");
    let batch = app.get(format!("/users?ids={next}")).await;
    assert_eq!((batch.text(), batch.is_hit()), ("[]", true));

    assert_eq!(app.given_user_id("bob").await, next);
    assert_eq!(app.get(format!("/users/{next}")).await.status(), 200);
    // The same with a batch, which creates several users at once.
    for id in next + 1..=next + 3 {
        app.get(format!("/users/{id}")).await.expect_problem(404, "not-found");
    }
    let user = |n: i64| json!({"name": "Al", "email": format!("u{n}@b.co")});
    assert_eq!(app.post("/users/batch").json(json!([user(1), user(2), user(3)])).await.status(), 201);
    for id in next + 1..=next + 3 {
        assert_eq!(app.get(format!("/users/{id}")).await.status(), 200);
    }
}

#[tokio::test]
async fn equal_queries_share_an_entry_and_different_queries_do_not() {
    let app = App::spawn().await;
    for name in ["ada", "bob", "eve"] {
        app.given_user(name).await;
    }
    app.get("/users?limit=2&isActive=true").await;
    assert!(app.get("/users?isActive=true&limit=2").await.is_hit(), "in another order");
    app.get("/users?email=ada@example.org").await;
    assert!(app.get("/users?email=ADA%40example.org").await.is_hit(), "in another spelling");
    app.get("/users").await;
    assert!(app.get("/users?limit=100").await.is_hit(), "with the default limit");
    for other in ["?limit=3", "?isActive=false", "?email=bob@example.org", "?limit=2&isActive=false"] {
        assert!(!app.get(format!("/users{other}")).await.is_hit(), "{other}");
    }
}

#[tokio::test]
async fn hits_and_misses_are_counted_in_redis() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    for _ in 0..10 {
        app.get(format!("/users/{id}")).await;
    }
    let counted = async || {
        let counters: HashMap<String, u64> = app.redis.ask(&["HGETALL", "cache:stats"]).await;
        let of = |event: &str| counters.get(&format!("users:getById:{event}")).copied().unwrap_or(0);
        (of("hits"), of("misses"))
    };
    // Counters are sent after the responses, some with a later request.
    let all_counted = async || {
        let (hits, misses) = counted().await;
        app.get(format!("/users/{id}")).await;
        hits >= 9 && misses >= 1
    };
    until("hits and misses are counted", all_counted).await;
}

#[tokio::test]
async fn an_evicted_entry_is_stored_again() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    app.get(format!("/users/{id}")).await;
    app.redis.run(&["FLUSHALL"]).await;
    assert!(!app.get(format!("/users/{id}")).await.is_hit());
    assert!(app.get(format!("/users/{id}")).await.is_hit());
}

#[tokio::test]
async fn the_cache_works_with_an_instance_for_each_request() {
    let app = App::builder().instance_per_request().spawn().await;
    let id = app.given_user_id("ada").await;
    let miss = app.get(format!("/users/{id}")).await;
    assert!(miss.is_stored(), "{miss:?}");
    for _ in 0..5 {
        let hit = app.get(format!("/users/{id}")).await;
        assert!(hit.is_hit() && hit.text() == miss.text(), "{hit:?}");
    }
    for version in 2..6 {
        let changed = app.put(format!("/users/{id}")).json(json!({"name": format!("Ada {version}")})).await;
        assert_eq!(changed.json()["version"], version);
        let after = app.get(format!("/users/{id}")).await;
        assert_eq!((after.is_hit(), after.text()), (false, changed.text()));
        assert!(app.get(format!("/users/{id}")).await.is_hit());
        assert_eq!(app.get("/users").await.text(), format!("[{}]", changed.text()));
    }
    assert_eq!(app.delete(format!("/users/{id}")).await.status(), 204);
    assert_eq!(app.get(format!("/users/{id}")).await.status(), 404);
}
