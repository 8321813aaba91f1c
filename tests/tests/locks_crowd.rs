//! Requests that wait for a lock, many more than one instance answers at a time: they do not keep others out.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;

use std::time::{Duration, Instant};

use answer::read;
use blackbox::App;
use serde_json::json;
use tokio::task::JoinSet;

const CROWD: usize = 600;
const WAIT: Duration = Duration::from_secs(8);
const PROMPTLY: Duration = Duration::from_secs(3);

#[tokio::test]
async fn a_crowd_that_waits_leaves_room_for_others() {
    let app = App::builder().patient_locks().spawn().await;
    app.given_lock("orders", 600_000).await;
    let mut crowd = JoinSet::new();
    let mut slowest = Duration::ZERO;
    for n in 0..CROWD / 20 {
        for _ in 0..20 {
            let api = app.api.clone();
            let body = json!({"resource": "orders", "ttl": 1_000, "wait": WAIT.as_millis() as u64});
            crowd.spawn(async move { read(api.acquire_lock(&body).await).await.expect_ok() });
        }
        let start = Instant::now();
        assert_eq!(read(app.show_lock("orders").await).await.expect_ok()["held"], true);
        let other = app.given_lock(&format!("other-{n}"), 5_000).await;
        let extended = read(app.extend_lock(&other.key, &other.token, 10_000).await).await;
        assert_eq!(extended.expect_ok()["extended"], true);
        let released = read(app.release_lock(&other.key, &other.token).await).await;
        assert_eq!(released.expect_ok(), json!({"released": true}));
        slowest = slowest.max(start.elapsed());
    }
    assert!(crowd.try_join_next().is_none(), "the first has not waited, or this machine is too slow to tell");
    println!("with up to {CROWD} waiting, the slowest four other requests took {slowest:?}");
    assert!(slowest < PROMPTLY, "{slowest:?}");
    for json in crowd.join_all().await {
        assert_eq!(json["acquired"], false, "{json}");
    }
}
