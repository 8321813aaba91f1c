//! Many requests that wait for a lock, more than one instance handles at a time, do not block others.

use std::time::{Duration, Instant};

use blackbox::{App, Request, fast_enough};
use serde_json::json;
use tokio::task::JoinSet;

use super::{extend, release_held, show};

const CROWD: usize = 240;
const WAIT: Duration = Duration::from_secs(24);
/// Others that had to wait for the crowd would take as long as the crowd.
const PROMPT: Duration = Duration::from_secs(9);

#[tokio::test]
async fn many_waiting_requests_do_not_block_others() {
    let app = App::spawn().await;
    app.given_lock("orders", 600_000).await;
    let request = json!({"resource": "orders", "ttl": 1_000, "wait": WAIT.as_millis() as u64});
    let request = app.post("/api/cache/lock/acquire").json(request);
    let mut crowd = JoinSet::new();
    for n in 0..CROWD / 40 {
        for _ in 0..40 {
            crowd.spawn(wait_again_and_again(request.clone()));
        }
        fast_enough(PROMPT, async || {
            let start = Instant::now();
            assert_eq!(show(&app, "orders").await["held"], true);
            let other = app.given_lock(&format!("other-{n}"), 60_000).await;
            assert_eq!(extend(&app, &other, 120_000).await["extended"], true);
            release_held(&app, &other).await;
            start.elapsed()
        })
        .await;
    }
    // Only a client that has failed has ended. The others need not wait to the end.
    if let Some(ended) = crowd.try_join_next() {
        ended.unwrap();
    }
}

/// So that the crowd is complete at the end, even where it takes longer than one request waits.
async fn wait_again_and_again(request: Request) {
    loop {
        let refused = request.clone().await.expect_ok();
        assert_eq!(refused["acquired"], false, "{refused}");
    }
}
