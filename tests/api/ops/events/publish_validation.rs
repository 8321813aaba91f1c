//! Requests to POST /api/publish/:channel that are refused. Each response names what is wrong, and nothing is
//! published.

use blackbox::App;
use serde_json::json;

use super::MESSAGES;

#[tokio::test]
async fn bad_channels_bodies_and_parameters_are_refused() {
    let app = App::spawn().await;
    let long = "x".repeat(65);
    for channel in ["a%20b", "a*", "%C3%A4", "a%2Fb", "a%0A", "%00", "a%ff", &long] {
        let response = app.post(format!("/api/publish/{channel}")).json(json!(1)).await;
        assert_eq!(response.expect_errors(400, "invalid-parameter"), ["channel"], "{channel}");
    }
    let response = app.post("/api/publish/orders?ttl=5").json(json!(1)).await;
    assert_eq!(response.expect_errors(400, "invalid-parameter"), ["ttl"]);
    for bad in ["", "{", "{} {}", "x", "{\"a\":1,}", "NaN"] {
        app.post("/api/publish/orders").json_text(bad).await.expect_problem(400, "malformed-json");
    }
    app.post("/api/publish/orders").json_text(b"\"\xff\"").await.expect_problem(400, "malformed-json");
    for media_type in ["text/plain", ""] {
        let response = app.post("/api/publish/orders").header("content-type", media_type).body("1").await;
        assert_eq!(response.expect_errors(415, "unsupported-media-type"), ["content-type"]);
    }
    let large = format!("\"{}\"", "x".repeat(64 * 1024 - 1));
    let response = app.post("/api/publish/orders").json_text(large).await;
    assert_eq!(response.expect_problem(413, "content-too-large")["limitBytes"], 64 * 1024);
    assert_eq!(app.redis.stream(MESSAGES).await, []);
    let response = app.get("/api/publish/orders").await;
    response.expect_problem(405, "method-not-allowed");
    assert_eq!(response.header("allow"), "POST");
    let longest = "x".repeat(64);
    assert_eq!(app.post(format!("/api/publish/{longest}")).json(json!(1)).await.status(), 202);
}
