//! GET /sellers/health.

use std::time::{Duration, Instant};

use blackbox::{App, Origin, fast_enough, until};

use super::users_service::using;

#[tokio::test]
async fn health_says_whether_the_service_responds() {
    let origin = Origin::start().await;
    let app = using(&origin.url()).spawn().await;
    let health = async || app.as_admin().get("/sellers/health").await;
    let up = health().await.expect_ok();
    assert_eq!(up["userService"]["status"], "up", "{up}");
    assert!(up["userService"]["latencyMs"].as_f64().is_some_and(|ms| (0.0..3000.0).contains(&ms)), "{up}");
    assert!(origin.count() >= 1, "it asks");

    // It asks for at most 3 seconds.
    origin.hold();
    fast_enough(Duration::from_secs(5), async || {
        let start = Instant::now();
        assert_eq!(health().await.expect_ok()["userService"]["status"], "down");
        start.elapsed()
    })
    .await;
    origin.release();
    until("it is up again", async || health().await.expect_ok()["userService"]["status"] == "up").await;
    let response = health().await;
    assert!(!response.is_hit(), "health is never cached: {response:?}");
    drop(origin);
    let down = health().await.expect_ok();
    assert_eq!(down["userService"]["status"], "down", "{down}");

    let own = App::spawn().await;
    assert_eq!(own.as_admin().get("/sellers/health").await.expect_ok()["userService"]["status"], "up");
}
