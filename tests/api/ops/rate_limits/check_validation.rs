//! Requests to POST /api/ratelimit/check that are refused. Each response names what is wrong, and nothing is counted.

use blackbox::{App, Response};
use reqwest::Method;
use serde_json::{Value, json};

const PATH: &str = "/api/ratelimit/check";

async fn post(app: &App, body: &Value) -> Response {
    app.post(PATH).json(body).await
}

/// A good body with this member changed; `None`: without it.
fn with(member: &str, value: Option<Value>) -> Value {
    let mut body = json!({"key": "k", "limit": 10, "window": 60_000, "cost": 1});
    match value {
        Some(value) => body[member] = value,
        None => drop(body.as_object_mut().unwrap().remove(member)),
    }
    body
}

async fn expect_nothing_counted(app: &App) {
    let keys = app.redis.keys().await;
    assert!(!keys.iter().any(|key| key.starts_with("ratelimit")), "{keys:?}");
}

#[tokio::test]
async fn invalid_members_are_named() {
    let app = App::spawn().await;
    let long = "x".repeat(257);
    let table = [
        ("key", vec![json!(""), json!(long), json!(1), json!(null), json!(["k"])]),
        ("limit", vec![json!(0), json!(-1), json!(1_000_001), json!(1.5), json!("10"), json!(null), json!(1e300)]),
        ("window", vec![json!(999), json!(0), json!(-5), json!(86_400_001), json!("60s"), json!(null), json!(1e300)]),
        ("cost", vec![json!(0), json!(-1), json!(11), json!(0.5), json!("1"), json!(null)]),
    ];
    for (member, values) in table {
        for value in values {
            let response = post(&app, &with(member, Some(value.clone()))).await;
            assert_eq!(response.expect_errors(422, "validation"), [format!("/{member}")], "{member}: {value}");
        }
    }
    for member in ["key", "limit", "window"] {
        let response = post(&app, &with(member, None)).await;
        assert_eq!(response.expect_errors(422, "validation"), [format!("/{member}")]);
    }
    assert_eq!(post(&app, &with("burst", Some(json!(1)))).await.expect_errors(422, "validation"), ["/burst"]);
    let mut all = post(&app, &json!({"key": "", "limit": 0, "window": 1})).await.expect_errors(422, "validation");
    all.sort();
    assert_eq!(all, ["/key", "/limit", "/window"]);
    expect_nothing_counted(&app).await;
    post(&app, &with("cost", None)).await.expect_ok();
}

#[tokio::test]
async fn bodies_that_are_no_json_objects_are_refused() {
    let app = App::spawn().await;
    for bad in ["", "{", "key=k", "{} {}", "{\"key\": \"k\",}"] {
        app.post(PATH).json_text(bad).await.expect_problem(400, "malformed-json");
    }
    for other in [json!([]), json!("k"), json!(null), json!(5)] {
        assert_eq!(post(&app, &other).await.expect_errors(422, "validation"), [""], "{other}");
    }
    let good = with("cost", None).to_string();
    let twice = good.replace("\"limit\":10", "\"limit\":10,\"limit\":10");
    app.post(PATH).json_text(twice).await.expect_problem(422, "validation");
    for media_type in ["text/plain", ""] {
        let response = app.post(PATH).header("content-type", media_type).body(good.clone()).await;
        assert_eq!(response.expect_errors(415, "unsupported-media-type"), ["content-type"]);
    }
    let large = format!("{good}{}", " ".repeat(1024 * 1024));
    app.post(PATH).json_text(large).await.expect_problem(413, "content-too-large");
    expect_nothing_counted(&app).await;
}

#[tokio::test]
async fn parameters_methods_and_paths_are_refused() {
    let app = App::spawn().await;
    let response = app.post(format!("{PATH}?key=k")).json(with("cost", None)).await;
    assert_eq!(response.expect_errors(400, "invalid-parameter"), ["key"]);
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let response = app.request(method, PATH).await;
        response.expect_problem(405, "method-not-allowed");
        assert_eq!(response.header("allow"), "POST", "{response:?}");
    }
    app.post("/api/ratelimit/other").json(with("cost", None)).await.expect_problem(404, "not-found");
    expect_nothing_counted(&app).await;
}
