//! GET /health and GET /health/ready, while the stores are up, down and suspended. Each response comes within a second.

use std::time::Duration;

use blackbox::{App, Response, until, within};
use serde_json::{Value, json};

/// How long a response may take, whatever the stores do.
const LIMIT: Duration = Duration::from_secs(1);

/// Asserts that this is a report that nobody stores. Its status code is 503 only without PostgreSQL.
fn report(response: &Response) -> Value {
    assert_eq!(response.header("content-type"), "application/json", "{response:?}");
    assert_eq!(response.header("cache-control"), "no-store", "{response:?}");
    let report = response.json();
    assert_eq!(response.status(), if report["status"] == "error" { 503 } else { 200 }, "{response:?}");
    let members: Vec<_> = report.as_object().unwrap().keys().collect();
    assert_eq!(members, ["postgres", "redis", "status"], "{report}");
    for server in ["redis", "postgres"] {
        let check = &report[server];
        assert_eq!(check.as_object().unwrap().len(), 2, "{report}");
        match check["status"].as_str() {
            Some("up") => assert!(check["latencyMs"].as_f64().is_some_and(|ms| (0.0..1e3).contains(&ms)), "{report}"),
            Some("down") => assert!(check["latencyMs"].is_null(), "{report}"),
            other => panic!("{other:?}: {report}"),
        }
    }
    report
}

async fn ready(app: &App) -> Value {
    report(&app.get("/health/ready").await)
}

/// The states of the whole, of Redis and of PostgreSQL.
fn states(report: &Value) -> [&str; 3] {
    [&report["status"], &report["redis"]["status"], &report["postgres"]["status"]].map(|state| state.as_str().unwrap())
}

async fn until_states(app: &App, expected: [&str; 3]) {
    until(&format!("{expected:?}"), async || states(&ready(app).await) == expected).await;
}

/// The report has these states, and comes within [`LIMIT`].
async fn expect_states(app: &App, expected: [&str; 3]) {
    until_states(app, expected).await;
    within(LIMIT, async || assert_eq!(states(&ready(app).await), expected)).await;
    within(LIMIT, async || assert_eq!(app.get("/health").await.expect_ok(), json!({"status": "ok"}))).await;
}

#[tokio::test]
async fn the_service_is_alive_and_ready() {
    let app = App::spawn().await;
    let alive = app.get("/health").await;
    assert_eq!(alive.expect_ok(), json!({"status": "ok"}));
    assert_eq!(alive.header("cache-control"), "no-store");
    expect_states(&app, ["ok", "up", "up"]).await;
    for path in ["/health", "/health/ready"] {
        let head = app.head(path).await;
        assert_eq!((head.status(), head.text()), (200, ""), "{path}");
    }
}

#[tokio::test]
async fn alive_asks_nobody() {
    let app = App::builder().log_statements().spawn().await;
    app.get("/health").await;
    let mut monitor = app.redis.monitor().await;
    monitor.settle().await;
    let statements = app.database.statements().len();
    for _ in 0..10 {
        app.get("/health").await.expect_ok();
    }
    // The requests are counted after the responses.
    let commands = monitor.commands().await;
    assert!(commands.iter().all(|command| command.name == "HINCRBY"), "{commands:?}");
    assert_eq!(app.database.statements().len(), statements);
}

#[tokio::test]
async fn without_redis_the_service_is_degraded() {
    let mut app = App::spawn().await;
    until_states(&app, ["ok", "up", "up"]).await;
    app.redis.kill().await.unwrap();
    expect_states(&app, ["degraded", "down", "up"]).await;
    app.redis.restart().await.unwrap();
    until_states(&app, ["ok", "up", "up"]).await;
    app.redis.pause();
    expect_states(&app, ["degraded", "down", "up"]).await;
    app.redis.resume();
    until_states(&app, ["ok", "up", "up"]).await;
}

#[tokio::test]
async fn without_postgres_the_service_is_not_ready() {
    let mut app = App::builder().private_postgres().spawn().await;
    until_states(&app, ["ok", "up", "up"]).await;
    app.postgres().kill().await.unwrap();
    expect_states(&app, ["error", "up", "down"]).await;
    app.postgres().restart().await.unwrap();
    until_states(&app, ["ok", "up", "up"]).await;
    app.postgres().pause();
    expect_states(&app, ["error", "up", "down"]).await;
    app.redis.pause();
    // Both checks run at the same time.
    expect_states(&app, ["error", "down", "down"]).await;
    app.postgres().resume();
    app.redis.resume();
    until_states(&app, ["ok", "up", "up"]).await;
}

#[tokio::test]
async fn a_service_that_starts_without_its_stores_says_so() {
    let mut app = App::builder().private_postgres().spawn().await;
    app.kill_host().await;
    app.redis.kill().await.unwrap();
    app.postgres().kill().await.unwrap();
    app.restart_host().await;
    expect_states(&app, ["error", "down", "down"]).await;
    app.postgres().restart().await.unwrap();
    until_states(&app, ["degraded", "down", "up"]).await;
    app.redis.restart().await.unwrap();
    until_states(&app, ["ok", "up", "up"]).await;
}
