//! Reads of what does not exist leave nothing in Redis for ever.

use blackbox::App;
use futures_util::future::join_all;

/// Keys without a TTL: one of each in a Redis, however much is read.
const FOR_EVER: [&str; 3] = ["cache:operations", "cache:stats", "tumbler:events"];

#[tokio::test]
async fn a_thousand_unknown_ids_and_keys_leave_only_keys_with_a_ttl() {
    let app = App::spawn().await;
    for first in (0..1_000).step_by(50) {
        join_all((first..first + 50).map(async |at| {
            assert_eq!(app.get(format!("/users/{}", 1_000_000 + at)).await.status(), 404);
            app.get(format!("/api/cache/unknown-{at}?ttl=300")).await.expect_ok();
        }))
        .await;
    }
    app.get("/users").await.expect_ok();
    app.given_user_id("ada").await;
    let mut redis = app.redis.connection().await;
    let keys = app.redis.keys().await;
    assert!(keys.len() > 2_000, "{} keys", keys.len());
    let mut endless = Vec::new();
    for key in keys {
        let ttl: i64 = redis::cmd("PTTL").arg(&key).query_async(&mut redis).await.unwrap();
        if ttl == -1 && !FOR_EVER.contains(&key.as_str()) {
            endless.push(key);
        }
    }
    assert_eq!(endless, [""; 0]);
}
