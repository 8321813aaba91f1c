//! POST /api/ratelimit/check needs the API token, if it is set.

use blackbox::{ADMIN_TOKEN, App};
use serde_json::json;

#[tokio::test]
async fn the_check_needs_the_api_token() {
    let app = App::builder().variable("api_token", "the-api-token-of-the-test").spawn().await;
    let check = |token: &str| app.with_token(token).post("/api/ratelimit/check");
    let body = json!({"key": "k", "limit": 1, "window": 60_000});
    app.post("/api/ratelimit/check").json(&body).await.expect_problem(401, "unauthorized");
    check("wrong").json(&body).await.expect_problem(401, "unauthorized");
    let keys = app.redis.keys().await;
    assert!(!keys.iter().any(|key| key.contains("api")), "a refused request was counted: {keys:?}");
    assert_eq!(check("the-api-token-of-the-test").json(&body).await.expect_ok()["allowed"], true);
    assert_eq!(check(ADMIN_TOKEN).json(&body).await.expect_ok()["allowed"], false);
}
