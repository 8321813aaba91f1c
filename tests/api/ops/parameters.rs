//! Requests to the routes of health, metrics and problems that are not valid.

use blackbox::App;
use reqwest::Method;

const ROUTES: [&str; 5] = ["/health", "/health/ready", "/metrics", "/problems", "/problems/not-found"];

#[tokio::test]
async fn parameters_are_refused_by_name() {
    let app = App::spawn().await;
    for route in ROUTES {
        for (query, name) in [("verbose=1", "verbose"), ("pretty", "pretty"), ("a=1&b=2", "a")] {
            let response = app.get(format!("{route}?{query}")).await;
            let fields = response.expect_errors(400, "invalid-parameter");
            assert!(fields.contains(&name.to_owned()), "{route}?{query}: {fields:?}");
        }
    }
}

#[tokio::test]
async fn other_methods_are_refused() {
    let app = App::spawn().await;
    for route in ROUTES {
        for method in [Method::POST, Method::PUT, Method::DELETE] {
            let response = app.request(method, route).await;
            response.expect_problem(405, "method-not-allowed");
            assert!(response.header("allow").contains("GET"), "{response:?}");
        }
    }
}

#[tokio::test]
async fn other_paths_are_not_found() {
    let app = App::spawn().await;
    for path in ["/health/live", "/health/ready/now", "/health/ready%2f", "/problems/", "/problems/not-found/x"] {
        app.get(path).await.expect_problem(404, "not-found");
    }
}
