//! The users service while Redis or PostgreSQL is down, silent, or back again: nothing hangs, nothing lies.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;

use std::time::{Duration, Instant};

use answer::{Answer, read};
use blackbox::App;
use reqwest::Method;
use serde_json::{Value, json};

/// All that a client can do, each but the last with success; the slowest answer.
async fn exercise(app: &App, name: &str) -> Duration {
    let mut slowest = Duration::ZERO;
    let mut timed = async |request: reqwest::RequestBuilder| -> Answer {
        let start = Instant::now();
        let answer = read(request.send().await.unwrap()).await;
        slowest = slowest.max(start.elapsed());
        answer
    };
    let body = json!({"name": name, "email": format!("{name}@example.org")});
    let created = timed(app.request(Method::POST, "/users").json(&body)).await;
    assert_eq!(created.status, 201, "{created:?}");
    let path = created.header("location").to_owned();
    let found = timed(app.request(Method::GET, &path)).await;
    assert_eq!((found.status.as_u16(), &found.body), (200, &created.body));
    let changed = timed(app.request(Method::PUT, &path).json(&json!({"isActive": false}))).await;
    assert_eq!((changed.status.as_u16(), &changed.json()["version"]), (200, &json!(2)), "{changed:?}");
    let id = created.json()["id"].clone();
    for view in [path.clone(), "/users?limit=1000".to_owned(), format!("/users?ids={id}")] {
        let seen = timed(app.request(Method::GET, &view)).await;
        assert!(seen.status == 200 && seen.body.contains(&changed.body), "{view}: {seen:?}");
    }
    assert_eq!(timed(app.request(Method::DELETE, &path)).await.status, 204);
    assert_eq!(timed(app.request(Method::GET, &path)).await.status, 404);
    slowest
}

async fn until_hit(app: &App, path: &str) {
    let start = Instant::now();
    while !read(app.get(path).await).await.is_hit() {
        assert!(start.elapsed() < Duration::from_secs(10), "the cache did not come back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn without_redis_everything_works_uncached() {
    let mut app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    until_hit(&app, &format!("/users/{id}")).await;
    app.redis.kill().await.unwrap();
    let slowest = exercise(&app, "bob").await;
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    let status = read(app.get_user(id).await).await.header("cache-status").to_owned();
    assert!(status.starts_with("tumbler; fwd=bypass; detail="), "{status}");

    app.redis.restart().await.unwrap();
    until_hit(&app, &format!("/users/{id}")).await;
    exercise(&app, "eve").await;
}

#[tokio::test]
async fn a_silent_redis_holds_nobody_up() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    until_hit(&app, &format!("/users/{id}")).await;
    app.redis.pause();
    let slowest = exercise(&app, "bob").await;
    // A deadline of 100 ms for each step of the write protocol.
    assert!(slowest < Duration::from_secs(3), "{slowest:?}");
    // Once the breaker is open, reads do not even wait for the deadline.
    let start = Instant::now();
    for _ in 0..20 {
        assert_eq!(app.get_user(id).await.status(), 200);
    }
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    app.redis.resume();
    until_hit(&app, &format!("/users/{id}")).await;
}

#[tokio::test]
async fn under_the_policy_consistent_nothing_is_written_without_redis() {
    let mut app = App::builder().variable("cache_write_policy", "consistent").spawn().await;
    let id = app.given_user_id("ada").await;
    let before = read(app.get_user(id).await).await.body;
    app.redis.kill().await.unwrap();
    let user = json!({"name": "Bob", "email": "bob@example.org"});
    for answer in [
        app.create_user(&user).await,
        app.create_users(&json!([user])).await,
        app.put_user(id, &json!({"name": "Al"})).await,
        app.patch_user(id, &json!({"name": "Al"})).await,
        app.delete_user(id).await,
    ] {
        let answer = read(answer).await;
        answer.expect_problem(503, "unavailable");
        assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0, "{answer:?}");
    }
    assert_eq!(
        read(app.list_users("").await).await.body,
        format!("[{before}]"),
        "reads go on, and nothing was written"
    );
    app.redis.restart().await.unwrap();
    assert_eq!(app.put_user(id, &json!({"name": "Al"})).await.status(), 200);
}

#[tokio::test]
async fn without_postgres_cached_reads_answer_and_the_rest_is_a_problem() {
    let mut app = App::builder().private_postgres().spawn().await;
    let id = app.given_user_id("ada").await;
    let warm = [format!("/users/{id}"), "/users".to_owned(), format!("/users?ids={id}")];
    for path in &warm {
        read(app.get(path).await).await;
        until_hit(&app, path).await;
    }
    app.postgres().stop().await.unwrap();
    for path in &warm {
        let answer = read(app.get(path).await).await;
        assert!(answer.status == 200 && answer.is_hit(), "{path}: {answer:?}");
    }
    let user = json!({"name": "Bob", "email": "bob@example.org"});
    let requests = [
        app.request(Method::GET, &format!("/users/{}", id + 1)),
        app.request(Method::GET, "/users?limit=5"),
        app.request(Method::GET, &format!("/users?ids={id},{}", id + 1)),
        app.request(Method::POST, "/users").json(&user),
        app.request(Method::POST, "/users/batch").json(&json!([user])),
        app.request(Method::PUT, &format!("/users/{id}")).json(&json!({"name": "Al"})),
        app.request(Method::PATCH, &format!("/users/{id}")).json(&json!({"name": "Al"})),
        app.request(Method::DELETE, &format!("/users/{id}")),
    ];
    for request in requests {
        let start = Instant::now();
        let answer = read(request.send().await.unwrap()).await;
        answer.expect_problem(503, "unavailable");
        assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0, "{answer:?}");
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}: {answer:?}", start.elapsed());
    }
    // Bad requests are still told what is wrong with them.
    read(app.create_user(&json!({})).await).await.expect_problem(422, "validation");

    app.postgres().restart().await.unwrap();
    let found = read(app.get_user(id).await).await;
    assert_eq!(found.json()["name"], "ada", "nothing was written");
    exercise(&app, "bob").await;
}

#[tokio::test]
async fn connections_that_broke_in_the_pool_are_not_noticed_by_reads() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    for round in 0..5 {
        let db = app.db().await;
        let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                      WHERE datname = current_database() AND pid <> pg_backend_pid()";
        db.execute(others, &[]).await.unwrap();
        // Never cached: another page each time.
        let page = read(app.list_users(&format!("?limit={}", round + 1)).await).await;
        assert_eq!(page.status, 200, "{page:?}");
        let changed = app.put_user(id, &json!({"name": format!("Round {round}")})).await;
        assert!([200, 503].contains(&changed.status().as_u16()), "{changed:?}");
    }
}

#[tokio::test]
async fn a_statement_that_waits_too_long_is_given_up_and_takes_no_effect() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    let mut db = app.db().await;
    let lock = db.transaction().await.unwrap();
    lock.execute("SELECT FROM users WHERE id = $1 FOR UPDATE", &[&id]).await.unwrap();
    let start = Instant::now();
    let answer = read(app.put_user(id, &json!({"name": "Al"})).await).await;
    answer.expect_problem(503, "unavailable");
    assert!((4..9).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    lock.rollback().await.unwrap();
    let user: Value = app.get_user(id).await.json().await.unwrap();
    assert_eq!((&user["name"], &user["version"]), (&json!("ada"), &json!(1)));
    assert_eq!(app.put_user(id, &json!({"name": "Al"})).await.status(), 200);
}

#[tokio::test]
async fn a_silent_postgres_is_told_and_cached_reads_go_on() {
    let mut app = App::builder().private_postgres().spawn().await;
    let id = app.given_user_id("ada").await;
    until_hit(&app, &format!("/users/{id}")).await;
    app.postgres().pause();
    let start = Instant::now();
    let (answer, cached) = tokio::join!(app.list_users(""), app.get_user(id));
    assert_eq!(cached.status(), 200);
    read(answer).await.expect_problem(503, "unavailable");
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    app.postgres().resume();
    exercise(&app, "bob").await;
}
