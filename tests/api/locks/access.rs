//! Tokens: the locks API is open unless `api_token` is set, /admin/locks always needs the admin token.

use blackbox::{ADMIN_TOKEN, App, Response};
use reqwest::Method;
use serde_json::json;

use super::show;

const API: [(Method, &str); 4] = [
    (Method::POST, "/api/cache/lock/acquire"),
    (Method::POST, "/api/cache/lock/release"),
    (Method::POST, "/api/cache/lock/extend"),
    (Method::GET, "/api/cache/lock/orders"),
];

const ADMIN: [(Method, &str); 2] = [(Method::GET, "/admin/locks"), (Method::DELETE, "/admin/locks/orders")];

async fn send(app: &App, method: &Method, path: &str, authorization: Option<&str>) -> Response {
    let mut request = app.request(method.clone(), path);
    if *method == Method::POST {
        request = request.json(json!({"resource": "orders"}));
    }
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    request.await
}

fn expect_unauthorized(response: &Response, challenge: &str) {
    response.expect_problem(401, "unauthorized");
    assert!(response.header("www-authenticate").starts_with("Bearer realm="), "{response:?}");
    assert_eq!(response.header("www-authenticate").contains("error="), !challenge.is_empty(), "{response:?}");
    assert!(response.header("www-authenticate").contains(challenge), "{response:?}");
    assert_eq!(response.header("cache-control"), "no-store");
}

#[tokio::test]
async fn without_an_api_token_only_the_admin_routes_need_a_token() {
    let app = App::spawn().await;
    for (method, path) in &API {
        let response = send(&app, method, path, None).await;
        assert!([200, 422].contains(&response.status()), "{path}: {response:?}");
    }
    let held = app.given_lock("held", 600_000).await;
    for (method, path) in &ADMIN {
        expect_unauthorized(&send(&app, method, path, None).await, "");
        for wrong in ["Bearer wrong", "Bearer", "Basic YTpi", &format!("Bearer {ADMIN_TOKEN}x"), ADMIN_TOKEN] {
            let response = send(&app, method, path, Some(wrong)).await;
            response.expect_problem(401, "unauthorized");
        }
        let right = send(&app, method, path, Some(&format!("bearer {ADMIN_TOKEN}"))).await;
        assert_eq!(right.status(), 200, "{right:?}");
    }
    assert_eq!(show(&app, "held").await["fencingToken"], held.fencing_token, "another lock was broken");
}

#[tokio::test]
async fn with_an_api_token_every_route_needs_a_token() {
    let app = App::builder().variable("api_token", "api-secret-of-the-test").spawn().await;
    for (method, path) in &API {
        expect_unauthorized(&send(&app, method, path, None).await, "");
        expect_unauthorized(&send(&app, method, path, Some("Bearer wrong")).await, "invalid_token");
        for token in ["api-secret-of-the-test", ADMIN_TOKEN] {
            let response = send(&app, method, path, Some(&format!("Bearer {token}"))).await;
            assert!([200, 422].contains(&response.status()), "{path}: {response:?}");
        }
    }
    for (method, path) in &ADMIN {
        let response = send(&app, method, path, Some("Bearer api-secret-of-the-test")).await;
        response.expect_problem(403, "forbidden");
        assert!(response.header("www-authenticate").contains("insufficient_scope"), "{response:?}");
    }
    assert!(!app.host.output().contains("api-secret-of-the-test"));
}
