//! The users service while Redis or PostgreSQL is down or hangs, and afterwards: every response is correct and in time.

use std::time::{Duration, Instant};

use blackbox::{App, Request, Response, fast_enough, until, within};
use serde_json::{Value, json};

/// Creates, reads, changes and deletes a user. Returns how long the slowest response took.
async fn exercise(app: &App, name: &str) -> Duration {
    let mut slowest = Duration::ZERO;
    let mut timed = async |request: Request| -> Response {
        let start = Instant::now();
        let response = request.await;
        slowest = slowest.max(start.elapsed());
        response
    };
    let body = json!({"name": name, "email": format!("{name}@example.org")});
    let created = timed(app.post("/users").json(&body)).await;
    assert_eq!(created.status(), 201, "{created:?}");
    let path = created.header("location").to_owned();
    let found = timed(app.get(&path)).await;
    assert_eq!((found.status(), found.text()), (200, created.text()));
    let changed = timed(app.put(&path).json(json!({"isActive": false}))).await;
    assert_eq!((changed.status(), &changed.json()["version"]), (200, &json!(2)), "{changed:?}");
    let id = created.json()["id"].clone();
    for view in [path.clone(), "/users?limit=1000".to_owned(), format!("/users?ids={id}")] {
        let seen = timed(app.get(&view)).await;
        assert!(seen.status() == 200 && seen.text().contains(changed.text()), "{view}: {seen:?}");
    }
    assert_eq!(timed(app.delete(&path)).await.status(), 204);
    assert_eq!(timed(app.get(&path)).await.status(), 404);
    slowest
}

/// As [`exercise`]. Each response must take less than `limit`.
async fn exercise_within(app: &App, limit: Duration) {
    let mut round = 0;
    fast_enough(limit, async || {
        round += 1;
        exercise(app, &format!("round-{round}")).await
    })
    .await;
}

async fn until_hit(app: &App, path: impl AsRef<str>) {
    until("the cache is used", async || app.get(&path).await.is_hit()).await;
}

#[tokio::test]
async fn without_redis_everything_works_uncached() {
    let mut app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    until_hit(&app, format!("/users/{id}")).await;
    app.redis.kill().await.unwrap();
    exercise_within(&app, Duration::from_secs(2)).await;
    let status = app.get(format!("/users/{id}")).await.header("cache-status").to_owned();
    assert!(status.starts_with("tumbler; fwd=bypass; detail="), "{status}");

    app.redis.restart().await.unwrap();
    until_hit(&app, format!("/users/{id}")).await;
    exercise(&app, "eve").await;
}

#[tokio::test]
async fn a_redis_that_hangs_delays_nobody() {
    let app = App::builder().default_deadlines().spawn().await;
    let id = app.given_user_id("ada").await;
    until_hit(&app, format!("/users/{id}")).await;
    app.redis.pause();
    // Each step of a write has a deadline of 100 ms.
    exercise_within(&app, Duration::from_secs(3)).await;
    // While the circuit breaker is open, reads do not even wait for the deadline.
    within(Duration::from_secs(2), async || {
        for _ in 0..20 {
            assert_eq!(app.get(format!("/users/{id}")).await.status(), 200);
        }
    })
    .await;
    app.redis.resume();
    until_hit(&app, format!("/users/{id}")).await;
}

#[tokio::test]
async fn the_policy_consistent_writes_nothing_without_redis() {
    let mut app = App::builder().variable("cache_write_policy", "consistent").spawn().await;
    let id = app.given_user_id("ada").await;
    let before = app.get(format!("/users/{id}")).await;
    app.redis.kill().await.unwrap();
    let user = json!({"name": "Bob", "email": "bob@example.org"});
    for request in [
        app.post("/users").json(&user),
        app.post("/users/batch").json(json!([user])),
        app.put(format!("/users/{id}")).json(json!({"name": "Al"})),
        app.patch(format!("/users/{id}")).json(json!({"name": "Al"})),
        app.delete(format!("/users/{id}")),
    ] {
        request.await.expect_unavailable();
    }
    let list = app.get("/users").await;
    assert_eq!(list.text(), format!("[{}]", before.text()), "reads succeed, and nothing was written");
    app.redis.restart().await.unwrap();
    assert_eq!(app.put(format!("/users/{id}")).json(json!({"name": "Al"})).await.status(), 200);
}

#[tokio::test]
async fn without_postgres_cached_reads_succeed_and_the_rest_is_unavailable() {
    let mut app = App::builder().private_postgres().spawn().await;
    let id = app.given_user_id("ada").await;
    let warm = [format!("/users/{id}"), "/users".to_owned(), format!("/users?ids={id}")];
    for path in &warm {
        app.get(path).await;
        until_hit(&app, path).await;
    }
    app.postgres().stop().await.unwrap();
    for path in &warm {
        let response = app.get(path).await;
        assert!(response.status() == 200 && response.is_hit(), "{path}: {response:?}");
    }
    let user = json!({"name": "Bob", "email": "bob@example.org"});
    let path = format!("/users/{id}");
    let requests: [(&str, &dyn Fn() -> Request); 8] = [
        ("another user", &|| app.get(format!("/users/{}", id + 1))),
        ("another page", &|| app.get("/users?limit=5")),
        ("other ids", &|| app.get(format!("/users?ids={id},{}", id + 1))),
        ("create", &|| app.post("/users").json(&user)),
        ("batch", &|| app.post("/users/batch").json(json!([user]))),
        ("put", &|| app.put(&path).json(json!({"name": "Al"}))),
        ("patch", &|| app.patch(&path).json(json!({"name": "Al"}))),
        ("delete", &|| app.delete(&path)),
    ];
    for (name, request) in requests {
        println!("{name}");
        within(Duration::from_secs(4), async || request().await.expect_unavailable()).await;
    }
    // A bad request is still a bad request.
    app.post("/users").json(json!({})).await.expect_problem(422, "validation");

    app.postgres().restart().await.unwrap();
    let found = app.get(format!("/users/{id}")).await;
    assert_eq!(found.json()["name"], "ada", "nothing was written");
    exercise(&app, "bob").await;
}

#[tokio::test]
async fn reads_do_not_notice_broken_connections_in_the_pool() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    for round in 0..5 {
        let db = app.db().await;
        let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                      WHERE datname = current_database() AND pid <> pg_backend_pid()";
        db.execute(others, &[]).await.unwrap();
        // Another page each time, so that it is not cached.
        let page = app.get(format!("/users?limit={}", round + 1)).await;
        assert_eq!(page.status(), 200, "{page:?}");
        let changed = app.put(format!("/users/{id}")).json(json!({"name": format!("Round {round}")})).await;
        assert!([200, 503].contains(&changed.status()), "{changed:?}");
    }
}

#[tokio::test]
async fn a_statement_that_waits_too_long_is_cancelled() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    let mut db = app.db().await;
    let lock = db.transaction().await.unwrap();
    lock.execute("SELECT FROM users WHERE id = $1 FOR UPDATE", &[&id]).await.unwrap();
    within(Duration::from_secs(9), async || {
        let start = Instant::now();
        let response = app.put(format!("/users/{id}")).json(json!({"name": "Al"})).await;
        response.expect_problem(503, "unavailable");
        assert!(start.elapsed() >= Duration::from_secs(4), "{:?}", start.elapsed());
    })
    .await;
    lock.rollback().await.unwrap();
    let user: Value = app.get(format!("/users/{id}")).await.json();
    assert_eq!((&user["name"], &user["version"]), (&json!("ada"), &json!(1)));
    assert_eq!(app.put(format!("/users/{id}")).json(json!({"name": "Al"})).await.status(), 200);
}

#[tokio::test]
async fn a_postgres_that_hangs_is_unavailable_and_cached_reads_go_on() {
    let mut app = App::builder().private_postgres().spawn().await;
    let id = app.given_user_id("ada").await;
    until_hit(&app, format!("/users/{id}")).await;
    app.postgres().pause();
    within(Duration::from_secs(15), async || {
        let list = app.get("/users").into_future();
        let (list, cached) = tokio::join!(list, app.get(format!("/users/{id}")).into_future());
        assert_eq!(cached.status(), 200);
        list.expect_problem(503, "unavailable");
    })
    .await;
    app.postgres().resume();
    exercise(&app, "bob").await;
}
