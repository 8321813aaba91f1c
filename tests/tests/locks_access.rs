//! Who may use the locks service: the API is open unless `api_token` is set, administration never is.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;

use answer::{Answer, read};
use blackbox::{ADMIN_TOKEN, App};
use reqwest::Method;
use serde_json::{Value, json};

const API: [(Method, &str); 4] = [
    (Method::POST, "/api/cache/lock/acquire"),
    (Method::POST, "/api/cache/lock/release"),
    (Method::POST, "/api/cache/lock/extend"),
    (Method::GET, "/api/cache/lock/orders"),
];
const ADMIN: [(Method, &str); 2] = [(Method::GET, "/admin/locks"), (Method::DELETE, "/admin/locks/orders")];

async fn send(app: &App, method: &Method, path: &str, authorization: Option<&str>) -> Answer {
    let mut request = app.request(method.clone(), path);
    if *method == Method::POST {
        request = request.json(&json!({"resource": "orders"}));
    }
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    read(request.send().await.unwrap()).await
}

fn expect_unauthorized(answer: &Answer, challenge: &str) {
    answer.expect_problem(401, "unauthorized");
    assert!(answer.header("www-authenticate").starts_with("Bearer realm="), "{answer:?}");
    assert_eq!(answer.header("www-authenticate").contains("error="), !challenge.is_empty(), "{answer:?}");
    assert!(answer.header("www-authenticate").contains(challenge), "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn the_api_is_open_by_default_and_administration_is_not() {
    let app = App::spawn().await;
    for (method, path) in &API {
        let answer = send(&app, method, path, None).await;
        assert!([200, 422].contains(&answer.status.as_u16()), "{path}: {answer:?}");
    }
    let held = app.given_lock("held", 30_000).await;
    for (method, path) in &ADMIN {
        expect_unauthorized(&send(&app, method, path, None).await, "");
        for wrong in ["Bearer wrong", "Bearer", "Basic YTpi", &format!("Bearer {ADMIN_TOKEN}x"), ADMIN_TOKEN] {
            let answer = send(&app, method, path, Some(wrong)).await;
            answer.expect_problem(401, "unauthorized");
        }
        let right = send(&app, method, path, Some(&format!("bearer {ADMIN_TOKEN}"))).await;
        assert_eq!(right.status, 200, "{right:?}");
    }
    let shown: Value = read(app.show_lock("held").await).await.json();
    assert_eq!(shown["fencingToken"], held.fencing_token, "nothing else was broken");
}

#[tokio::test]
async fn with_an_api_token_everything_asks_for_one() {
    let app = App::builder().variable("api_token", "api-secret-of-the-test").spawn().await;
    for (method, path) in &API {
        expect_unauthorized(&send(&app, method, path, None).await, "");
        expect_unauthorized(&send(&app, method, path, Some("Bearer wrong")).await, "invalid_token");
        for token in ["api-secret-of-the-test", ADMIN_TOKEN] {
            let answer = send(&app, method, path, Some(&format!("Bearer {token}"))).await;
            assert!([200, 422].contains(&answer.status.as_u16()), "{path}: {answer:?}");
        }
    }
    for (method, path) in &ADMIN {
        let answer = send(&app, method, path, Some("Bearer api-secret-of-the-test")).await;
        answer.expect_problem(403, "forbidden");
        assert!(answer.header("www-authenticate").contains("insufficient_scope"), "{answer:?}");
    }
    assert!(!app.host.output().contains("api-secret-of-the-test"));
}
