//! What is never limited: health, metrics, the pages about problems, and requests of one component to another.

use blackbox::App;
use serde_json::json;

use super::{expect_refused, expect_unlimited, far_from_midnight, limited, remaining};

#[tokio::test]
async fn health_metrics_and_problems_are_never_limited() {
    let app = limited(1).await;
    app.get("/users").await.expect_ok();
    expect_refused(&app.get("/users").await, "default");
    for path in
        ["/health", "/health/ready", "/metrics", "/health/no-such-route", "/problems", "/problems/quota-exceeded"]
    {
        for _ in 0..3 {
            expect_unlimited(&app.get(path).await);
        }
    }
    expect_refused(&app.get("/users").await, "default");
}

#[tokio::test]
async fn requests_of_components_are_not_limited() {
    far_from_midnight().await;
    let app = App::builder().variable("rate_limit_overrides", "users=3/24h").spawn().await;
    // Two of the three requests to users.
    let ids = [app.given_user_id("ada").await, app.given_user_id("eve").await];
    for id in ids {
        let body = json!({"businessName": "Somebody & Co"});
        let registered = app.with_jwt(id, &["user"]).post("/sellers").json(body).await;
        assert_eq!(registered.status(), 201, "{registered:?}");
        expect_unlimited(&registered);
    }
    assert_eq!(remaining(&app.get("/users").await, "users"), 0);
    expect_refused(&app.get("/users").await, "users");
    // Also while the client itself is refused there.
    app.as_admin().get("/sellers/health").await.expect_ok();
}

#[tokio::test]
async fn nobody_can_pretend_to_be_a_component() {
    let app = limited(3).await;
    for (name, value) in [("spin-client-addr", "0.0.0.0:0"), ("x-real-ip", "9.9.9.9"), ("forwarded", "for=9.9.9.9")] {
        assert!(app.get("/users").header(name, value).await.header("ratelimit").contains("r="), "{name}");
    }
    expect_refused(&app.get("/users").header("spin-client-addr", "0.0.0.0:0").await, "default");
}
