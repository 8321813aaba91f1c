//! The variable `log_level`: off, error, warn, info or debug, for all components and for single ones.

use blackbox::{App, Builder, until};
use serde_json::{Value, json};

const REQUESTS: u64 = 10;

fn app(level: &str) -> Builder {
    // Nobody is there: a registration is a failure of the service, 503.
    let stopped = "http://127.0.0.1:1";
    App::builder()
        .variable("log_level", level)
        .variable("user_service_url", stopped)
        .variable("user_service_egress", stopped)
}

/// Sends some requests to users and the cache, then one that fails. Waits until all are counted: their lines, if there
/// are any, were written before.
async fn exercise(app: &App) {
    let id = app.given_user_id("ada").await;
    for _ in 1..REQUESTS {
        app.get(format!("/users/{id}")).await.expect_ok();
        app.get("/api/cache/a").await.expect_ok();
    }
    let failed = app.with_jwt(7, &["user"]).post("/sellers").json(json!({"businessName": "Ada & Co"})).await;
    failed.expect_problem(503, "user-service-unavailable");
    until("all is counted", async || {
        let metrics = app.metrics().await;
        let count = |component: &str| metrics.counter("tumbler_http_requests_total", &[("component", component)]);
        [count("users"), count("cache"), count("sellers")] == [REQUESTS, REQUESTS - 1, 1]
    })
    .await;
    // Lines may still wait for some milliseconds. Another request of each component comes after them.
    for path in ["/users", "/api/cache/a", "/sellers", "/health"] {
        app.get(path).await;
    }
}

/// The components of the lines with this level and event.
fn components(app: &App, level: &str, event: &str) -> Vec<String> {
    let lines = app.host.log_of(event).into_iter().filter(|line| line["level"] == level);
    let mut components: Vec<_> = lines.map(|line| line["component"].as_str().unwrap().to_owned()).collect();
    components.sort();
    components.dedup();
    components
}

#[tokio::test]
async fn the_level_info_is_the_default() {
    let app = App::spawn().await;
    app.get("/users").await.expect_ok();
    until("the request is in the log", async || components(&app, "info", "request") == ["users"]).await;
    assert!(app.host.log().iter().all(|line| line["level"] != "debug"), "{:?}", app.host.log());
}

#[tokio::test]
async fn the_level_off_writes_nothing() {
    let app = app("off").spawn().await;
    exercise(&app).await;
    assert_eq!(app.host.log(), Vec::<Value>::new());
}

#[tokio::test]
async fn the_level_error_is_for_errors_only() {
    let app = app("error").spawn().await;
    exercise(&app).await;
    assert_eq!(app.host.log(), Vec::<Value>::new());
}

#[tokio::test]
async fn the_level_warn_leaves_out_requests_that_do_not_fail() {
    let app = app("warn").spawn().await;
    exercise(&app).await;
    until("the failure is in the log", async || components(&app, "warn", "request") == ["sellers"]).await;
    let low: Vec<_> = app.host.log().into_iter().filter(|line| line["level"] != "warn").collect();
    assert_eq!(low, Vec::<Value>::new());
}

#[tokio::test]
async fn single_components_have_their_own_level() {
    let app = app("warn,cache=debug,sellers=off").spawn().await;
    exercise(&app).await;
    until("the cache's requests are in the log", async || components(&app, "info", "request") == ["cache"]).await;
    let others: Vec<_> = app.host.log().into_iter().filter(|line| line["component"] != "cache").collect();
    assert_eq!(others, Vec::<Value>::new());
}

#[tokio::test]
async fn without_a_log_a_trace_is_still_passed_on() {
    let app = app("off").spawn().await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let response = app.get("/users").header("traceparent", format!("00-{trace}-b7ad6b7169203331-01")).await;
    assert_eq!(response.trace_id(), trace);
}

#[tokio::test]
async fn an_invalid_level_is_logged_and_every_request_fails() {
    for invalid in ["loud", "INFO", "", "info,cache", "cache=debug", "info,cache=loud"] {
        let app = App::builder().variable("log_level", invalid).spawn().await;
        for path in ["/users", "/sellers", "/api/cache/a", "/api/cache/lock/a", "/health"] {
            let response = app.get(path).await;
            response.expect_problem(500, "internal");
            assert!(!response.text().contains("log_level"), "{response:?}");
        }
        let log = app.host.output();
        assert!(log.contains("the variable log_level must be"), "{invalid:?}: {log}");
    }
}
