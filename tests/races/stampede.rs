//! Invariant 3 of the cache: many reads of a missing entry at once cost about one query of the database, which
//! PostgreSQL's log counts, or about one request to the origin.

use std::time::Duration;

use blackbox::{App, Builder, Origin};
use tokio::task::JoinSet;

const REQUESTS: usize = 500;
const ENOUGH: usize = 3;
/// A read waits half a second for the fill of another read, and then queries the database itself. On a busy machine a
/// fill can take longer, but not each time. A machine may be busy for minutes, while it compiles components.
const BURSTS: usize = 100;

/// Sends so many requests for `path` at once. All responses must be equal.
async fn burst(app: &App, path: &str, count: usize) {
    let mut requests = JoinSet::new();
    for _ in 0..count {
        requests.spawn(app.get(path).into_future());
    }
    let responses = requests.join_all().await;
    let first = &responses[0];
    for response in &responses {
        assert_eq!((response.status(), response.text()), (200, first.text()));
    }
}

/// How many statements read the table of users during a burst for `path`.
async fn queries(app: &App, path: &str, count: usize) -> usize {
    let before = app.database.statements().len();
    burst(app, path, count).await;
    let statements = app.database.statements().split_off(before);
    let queries = statements.iter().filter(|statement| statement.contains("users")).count();
    println!("{count} requests for {path}: {queries} queries");
    queries
}

/// In one of several bursts the missing entry costs at most three queries.
async fn expect_few_queries(app: &App, path: &str) {
    let mut found = Vec::new();
    while found.last().is_none_or(|queries| *queries > ENOUGH) {
        assert!(found.len() < BURSTS, "{found:?} queries");
        app.redis.run(&["FLUSHALL"]).await;
        found.push(queries(app, path, REQUESTS).await);
        assert!(found.last() > Some(&0), "the entry was not missing");
    }
}

fn app() -> Builder {
    App::builder().log_statements()
}

#[tokio::test]
async fn five_hundred_reads_of_a_missing_user_cost_at_most_three_queries() {
    let app = app().spawn().await;
    let id = app.given_user_id("ada").await;
    expect_few_queries(&app, &format!("/users/{id}")).await;
}

#[tokio::test]
async fn five_hundred_reads_of_the_missing_list_cost_at_most_three_queries() {
    let app = app().spawn().await;
    app.given_user("ada").await;
    expect_few_queries(&app, "/users").await;
}

/// The control: the number of queries without a cache.
#[tokio::test]
async fn without_a_cache_every_request_costs_a_query() {
    let app = app().variable("cache_enabled", "false").spawn().await;
    let id = app.given_user_id("ada").await;
    // Fewer: on a slow machine, more would wait too long for a connection to PostgreSQL.
    assert_eq!(queries(&app, &format!("/users/{id}"), 60).await, 60);
}

#[tokio::test]
async fn a_hundred_and_fifty_reads_of_a_missing_key_cost_about_one_fetch() {
    /// Fewer: a slow machine must start them all within the deadline of the origin.
    const REQUESTS: usize = 150;
    let origin = Origin::start().await;
    origin.delay(Duration::from_millis(100));
    let app = App::builder().origin(&origin).spawn().await;
    burst(&app, "/api/cache/cold", REQUESTS).await;
    let fetches = origin.count();
    println!("{REQUESTS} requests for one missing key: {fetches} fetches");
    assert!((1..=ENOUGH).contains(&fetches), "{fetches} fetches");
}
