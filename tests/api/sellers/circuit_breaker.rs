//! The circuit breaker of the users service: a dead service is left alone for a few seconds.

use std::time::Instant;

use blackbox::{Origin, Reply, until};

use super::users_service::{USER, expect_unavailable, path_of, register, user, using};

#[tokio::test]
async fn after_a_failure_the_service_is_left_alone_and_then_tried_with_one_request() {
    let origin = Origin::start().await;
    // An instance remembers the failure as long as it lives; there is one for each core, or several for a crowd.
    let app = using(&origin.url())
        .variable("user_service_timeout_ms", "1000")
        .host_arg("--max-instance-concurrent-reuse-count", "64")
        .host_arg("--idle-instance-timeout", "60s")
        .spawn()
        .await;
    origin.reply(&path_of(USER), Reply::json(user(USER, true).to_string()));
    origin.hold();
    let start = Instant::now();
    let instances = std::thread::available_parallelism().unwrap().get();
    // Each instance asks once in three seconds.
    let asked_at_most = || instances * (1 + start.elapsed().as_secs() as usize / 3);
    for _ in 0..30 {
        expect_unavailable(&register(&app, USER).await);
    }
    assert!(origin.count() <= asked_at_most(), "{} requests in {:?}", origin.count(), start.elapsed());

    // Later one request tries again, however many come.
    let before = origin.count();
    let mut crowd = tokio::task::JoinSet::new();
    until("a request tries again", async || {
        for _ in 0..4 {
            let app = app.api.clone();
            crowd.spawn(async move { register(&app, USER).await });
        }
        origin.count() > before
    })
    .await;
    for response in crowd.join_all().await {
        expect_unavailable(&response);
    }
    assert!(origin.count() <= asked_at_most(), "{} requests in {:?}", origin.count(), start.elapsed());

    origin.release();
    until("the circuit is closed", async || register(&app, USER).await.status() != 503).await;
    assert_eq!(app.with_jwt(USER, &[]).get("/sellers/me").await.status(), 200);
}
