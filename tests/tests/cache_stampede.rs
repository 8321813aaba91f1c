//! A cold key that many ask for at once costs the origin about one fetch.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use blackbox::{App, Origin};
use tokio::task::JoinSet;

const REQUESTS: usize = 500;
const MOST_FETCHES: usize = 3;

/// The answers to [`REQUESTS`] requests for one key, all at once.
async fn stampede(app: &App) -> Vec<String> {
    let mut requests = JoinSet::new();
    for _ in 0..REQUESTS {
        let api = app.api.clone();
        requests.spawn(async move {
            let answer = api.get_cached("cold").await;
            assert_eq!(answer.status(), 200);
            answer.text().await.unwrap()
        });
    }
    requests.join_all().await
}

#[tokio::test]
async fn a_cold_key_costs_about_one_fetch() {
    let origin = Origin::start().await;
    origin.delay(Duration::from_millis(100));
    let builder = App::builder().variable("cache_origin_url", &origin.url());
    // A burst on a small machine takes longer than a call may take by default, which is not what is tested here.
    let builder = builder.variable("cache_origin_timeout_ms", "10000").variable("cache_timeout_ms", "2000");
    let app = builder.spawn().await;
    let answers = stampede(&app).await;
    let fetches = origin.count();
    println!("{REQUESTS} requests for one cold key: {fetches} fetches");
    assert!((1..=MOST_FETCHES).contains(&fetches), "{fetches} fetches");
    assert!(answers.iter().all(|answer| *answer == answers[0]), "the answers differ");
}
