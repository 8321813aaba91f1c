//! Tokens: events and messages are open unless `api_token` is set.

use blackbox::{ADMIN_TOKEN, App};
use serde_json::json;

const API_TOKEN: &str = "the-api-token-of-the-test";

#[tokio::test]
async fn with_an_api_token_readers_and_writers_need_it() {
    let app = App::builder().variable("api_token", API_TOKEN).spawn().await;
    for wrong in [&app.api, &app.with_token("wrong")] {
        wrong.get("/api/events").await.expect_problem(401, "unauthorized");
        // Also before what is wrong with the request.
        wrong.get("/api/events?since=1").await.expect_problem(401, "unauthorized");
        wrong.post("/api/publish/orders").json(json!(1)).await.expect_problem(401, "unauthorized");
    }
    for token in [API_TOKEN, ADMIN_TOKEN] {
        let api = app.with_token(token);
        let mut stream = api.get("/api/events?channel=orders").open().await;
        assert_eq!(api.post("/api/publish/orders").json(json!(token.len())).await.status(), 202);
        assert_eq!(stream.expect_next().await.json()["data"], token.len());
    }
}
