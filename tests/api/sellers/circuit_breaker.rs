//! The circuit breaker of the users service: a dead service is left alone for a few seconds.

use std::time::{Duration, Instant};

use blackbox::{Origin, Reply, until};

use super::users_service::{USER, expect_unavailable, path_of, register, user, using};

/// How long an instance does not ask after a failure, less the inaccuracy of two clocks.
const OPEN: Duration = Duration::from_millis(2_900);
/// How often the circuit may open before requests were refused twice.
const ROUNDS_MAX: usize = 8;

#[tokio::test]
async fn after_a_failure_the_service_is_left_alone_for_three_seconds_and_then_tried_with_one_request() {
    let origin = Origin::start().await;
    // An instance remembers the failure as long as it lives. Requests one after the other share a connection and with
    // these options an instance.
    let app = using(&origin.url())
        .variable("user_service_timeout_ms", "1000")
        .host_arg("--max-instance-reuse-count", "100000")
        .host_arg("--idle-instance-timeout", "60s")
        .spawn()
        .await;
    origin.reply(&path_of(USER), Reply::json(user(USER, true).to_string()));
    origin.hold();
    expect_unavailable(&register(&app, USER).await);
    // A busy machine may take so long that the circuit is half-open before a request is refused: then once more.
    let (mut rounds, mut with_refusals) = (0, 0);
    while with_refusals < 2 {
        rounds += 1;
        assert!(rounds <= ROUNDS_MAX, "requests were refused in {with_refusals} of {ROUNDS_MAX} rounds");
        // The request before this one has failed, and was the last that the service got.
        let failed = Instant::now();
        assert_eq!(origin.count(), rounds);
        let (mut sent, mut refused) = (failed, 0);
        until("a request tries again", async || {
            sent = Instant::now();
            expect_unavailable(&register(&app, USER).await);
            refused += 1;
            origin.count() > rounds
        })
        .await;
        assert!(sent - failed >= OPEN, "asked again after {:?}", sent - failed);
        // The last one asked the service.
        with_refusals += usize::from(refused > 1);
    }
    origin.release();
    until("the circuit is closed", async || register(&app, USER).await.status() == 201).await;
    assert_eq!(origin.count(), rounds + 2, "{:?}", origin.requests());
}
