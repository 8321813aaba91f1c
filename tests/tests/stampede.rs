//! Invariant 3 of the cache: a cold key asked for by many at once costs about one database query, counted in
//! PostgreSQL's own log.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use blackbox::{App, Builder};
use tokio::task::JoinSet;

const REQUESTS: usize = 500;
const MOST_QUERIES: usize = 3;

/// Asks for `path` with all requests at once; the number of statements that read the table of users meanwhile.
async fn stampede(app: &App, path: &str) -> usize {
    let statements_before = app.database.statements().len();
    let mut requests = JoinSet::new();
    for _ in 0..REQUESTS {
        let (api, path) = (app.api.clone(), path.to_owned());
        requests.spawn(async move {
            let answer = api.get(&path).await;
            (answer.status(), answer.text().await.unwrap())
        });
    }
    let answers = requests.join_all().await;
    let first = &answers[0].1;
    assert!(answers.iter().all(|(status, body)| *status == 200 && body == first), "the answers differ");
    let statements = app.database.statements().split_off(statements_before);
    statements.iter().filter(|statement| statement.contains("users")).count()
}

/// With the statements logged. A real Spin starts dozens of instances for a burst, which takes a small machine longer
/// than a cache call may take by default; that deadline is not what is tested here.
fn app() -> Builder {
    let app = App::builder().log_statements();
    if std::env::var_os("SPIN").is_some() { app.variable("cache_timeout_ms", "10000") } else { app }
}

async fn flush(app: &App) {
    let _: String = redis::cmd("FLUSHALL").query_async(&mut app.redis.connection().await).await.unwrap();
}

#[tokio::test]
async fn a_cold_user_costs_at_most_three_queries() {
    let app = app().spawn().await;
    let id = app.given_user_id("ada").await;
    flush(&app).await;
    let queries = stampede(&app, &format!("/users/{id}")).await;
    println!("{REQUESTS} requests for one cold user: {queries} queries");
    assert!((1..=MOST_QUERIES).contains(&queries), "{queries} queries");
}

#[tokio::test]
async fn a_cold_list_costs_at_most_three_queries() {
    let app = app().spawn().await;
    app.given_user("ada").await;
    flush(&app).await;
    let queries = stampede(&app, "/users").await;
    println!("{REQUESTS} requests for the cold list: {queries} queries");
    assert!((1..=MOST_QUERIES).contains(&queries), "{queries} queries");
}

/// The control: what the test above counts when there is no cache.
#[tokio::test]
async fn without_a_cache_every_request_costs_a_query() {
    let app = app().variable("cache_enabled", "false").spawn().await;
    let id = app.given_user_id("ada").await;
    assert_eq!(stampede(&app, &format!("/users/{id}")).await, REQUESTS);
}
