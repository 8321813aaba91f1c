//! Tokens: /health and /problems are always open, /metrics needs `metrics_token` if it is set.

use blackbox::{ADMIN_TOKEN, App, Response};

const METRICS_TOKEN: &str = "the-metrics-token-of-the-test";
const API_TOKEN: &str = "the-api-token-of-the-test";

fn expect_unauthorized(response: &Response) {
    response.expect_problem(401, "unauthorized");
    assert!(response.header("www-authenticate").starts_with("Bearer realm="), "{response:?}");
    assert_eq!(response.header("cache-control"), "no-store");
    assert!(!response.text().contains("tumbler_"), "{response:?}");
}

#[tokio::test]
async fn without_a_metrics_token_everybody_may_read_metrics() {
    let app = App::builder().variable("api_token", API_TOKEN).spawn().await;
    app.metrics().await;
    app.with_token("anything").metrics().await;
}

#[tokio::test]
async fn the_metrics_token_and_the_admin_token_open_metrics() {
    let app = App::builder().variable("metrics_token", METRICS_TOKEN).variable("api_token", API_TOKEN).spawn().await;
    expect_unauthorized(&app.get("/metrics").await);
    for wrong in ["wrong", API_TOKEN, &METRICS_TOKEN[1..], &format!("{METRICS_TOKEN}x")] {
        expect_unauthorized(&app.with_token(wrong).get("/metrics").await);
    }
    for other in [format!("Basic {METRICS_TOKEN}"), METRICS_TOKEN.to_owned(), "Bearer".to_owned()] {
        expect_unauthorized(&app.get("/metrics").header("authorization", other).await);
    }
    for token in [METRICS_TOKEN, ADMIN_TOKEN] {
        app.with_token(token).metrics().await;
    }
    // It opens nothing else.
    let locks = app.with_token(METRICS_TOKEN).get("/admin/locks").await;
    assert!([401, 403].contains(&locks.status()), "{locks:?}");
    assert_eq!(app.with_token(METRICS_TOKEN).get("/api/cache/a").await.status(), 401);
}

#[tokio::test]
async fn health_and_problems_are_open() {
    let app = App::builder().variable("metrics_token", METRICS_TOKEN).variable("api_token", API_TOKEN).spawn().await;
    for path in ["/health", "/health/ready"] {
        app.get(path).await.expect_ok();
        app.with_token("wrong").get(path).await.expect_ok();
    }
    for path in ["/problems", "/problems/unauthorized"] {
        assert_eq!(app.get(path).await.status(), 200);
        assert_eq!(app.with_token("wrong").get(path).await.status(), 200);
    }
}

/// So a wrong setting is found before clients send requests, although components read their variables late.
#[tokio::test]
async fn the_service_is_not_ready_with_tokens_that_cannot_be_used() {
    for (variable, invalid) in [("admin_token", ""), ("api_token", ADMIN_TOKEN)] {
        let app = App::builder().variable(variable, invalid).spawn().await;
        app.get("/health/ready").await.expect_problem(500, "internal");
        let log = app.host.output();
        assert!(log.contains("the variable admin_token must be"), "{log}");
    }
}

#[tokio::test]
async fn an_invalid_metrics_token_is_logged_and_every_request_fails() {
    for invalid in ["two words", ADMIN_TOKEN] {
        let app = App::builder().variable("metrics_token", invalid).spawn().await;
        app.get("/metrics").await.expect_problem(500, "internal");
        let log = app.host.output();
        assert!(log.contains("the variable") && log.contains("_token must be"), "{log}");
        assert!(!log.contains(invalid), "{log}");
    }
}
