//! Many requests that wait for a lock, more than one instance handles at a time, do not block others.

use std::time::{Duration, Instant};

use blackbox::App;
use serde_json::json;
use tokio::task::JoinSet;

use super::{extend, release_held, show};

const CROWD: usize = 600;

#[tokio::test]
async fn many_waiting_requests_do_not_block_others() {
    let app = App::spawn().await;
    app.given_lock("orders", 600_000).await;
    // The requests must wait for longer than it takes to send them, which depends on the machine.
    for seconds in [8, 16, 29] {
        if crowd_waits(&app, Duration::from_secs(seconds)).await {
            return;
        }
    }
    panic!("this machine is too slow: the first requests ended before the last began to wait");
}

/// Sends the requests that wait, and others in between. False if the first of them has already ended when the last begins
/// to wait.
async fn crowd_waits(app: &App, wait: Duration) -> bool {
    let mut crowd = JoinSet::new();
    let mut slowest = Duration::ZERO;
    for n in 0..CROWD / 20 {
        for _ in 0..20 {
            let body = json!({"resource": "orders", "ttl": 1_000, "wait": wait.as_millis() as u64});
            crowd.spawn(app.post("/api/cache/lock/acquire").json(body).into_future());
        }
        let start = Instant::now();
        assert_eq!(show(app, "orders").await["held"], true);
        let other = app.given_lock(&format!("other-{n}"), 60_000).await;
        assert_eq!(extend(app, &other, 120_000).await["extended"], true);
        release_held(app, &other).await;
        slowest = slowest.max(start.elapsed());
    }
    let all_wait = crowd.try_join_next().is_none();
    println!("{CROWD} requests wait for {wait:?}; the slowest four other requests took {slowest:?}");
    for response in crowd.join_all().await {
        assert_eq!(response.expect_ok()["acquired"], false, "{response:?}");
    }
    // Others that had to wait for the crowd would take as long as the crowd.
    let prompt = slowest < wait * 3 / 8;
    assert!(prompt || !all_wait, "{slowest:?}");
    all_wait && prompt
}
