//! The log: a line of JSON for each request, and lines about what happened. The tests' hosts do not run in a terminal,
//! so JSON is the default.

use blackbox::{App, Response, until};
use reqwest::Method;
use serde_json::{Value, json};

/// Asserts that these are exactly the members of a request's line.
fn expect_members(line: &Value, cache: Option<&str>) {
    let mut expected =
        vec!["component", "duration_ms", "event", "level", "method", "route", "status", "time", "trace_id"];
    expected.extend(cache.map(|_| "cache"));
    expected.sort_unstable();
    let members: Vec<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, expected, "{line}");
    assert_eq!(line["cache"].as_str(), cache, "{line}");
    let time = line["time"].as_str().unwrap();
    let logged = chrono::DateTime::parse_from_rfc3339(time).unwrap_or_else(|error| panic!("{error}: {line}"));
    assert!(time.ends_with('Z') && time.len() == "2026-01-31T09:30:00.000Z".len(), "{line}");
    let age = chrono::Utc::now().signed_duration_since(logged);
    assert!((0..600).contains(&age.num_seconds()), "{line} is {age} old");
    assert!(line["duration_ms"].as_f64().is_some_and(|ms| (0.0..60_000.0).contains(&ms)), "{line}");
}

#[tokio::test]
async fn each_request_leaves_one_line() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    let one = format!("/users/{id}");
    let table = [
        ("users", Method::GET, one.as_str(), "/users/{id}", 200, Some("miss")),
        ("users", Method::GET, one.as_str(), "/users/{id}", 200, Some("hit")),
        ("users", Method::GET, "/users?limit=5", "/users", 200, Some("miss")),
        ("users", Method::GET, "/users/x", "/users/{id}", 400, None),
        ("users", Method::POST, "/users", "/users", 415, None),
        ("users", Method::DELETE, one.as_str(), "/users/{id}", 204, None),
        ("users", Method::GET, "/users/a/b", "none", 404, None),
        ("sellers", Method::GET, "/sellers/7", "/sellers/{id}", 401, None),
        ("cache", Method::GET, "/api/cache/a:b", "/api/cache/{key}", 200, Some("miss")),
        ("cache", Method::GET, "/api/cache/a:b", "/api/cache/{key}", 200, Some("hit")),
        ("locks", Method::GET, "/api/cache/lock/orders", "/api/cache/lock/{resource}", 200, None),
        ("ops", Method::GET, "/health", "/health", 200, None),
        ("ops", Method::GET, "/health/ready", "/health/ready", 200, None),
        ("ops", Method::GET, "/metrics", "/metrics", 200, None),
    ];
    let mut sent = app.host.log_of("request").len();
    until("the first request is in the log", async || {
        sent = app.host.log_of("request").len();
        sent == 1
    })
    .await;
    for (component, method, path, route, status, cache) in &table {
        let response = app.request(method.clone(), path).await;
        assert_eq!(response.status(), *status, "{method} {path}: {response:?}");
        let line = app.host.request_line(component, &response).await;
        expect_members(&line, *cache);
        assert_eq!((&line["method"], &line["route"]), (&json!(method.as_str()), &json!(route)), "{line}");
        assert_eq!((&line["status"], &line["level"]), (&json!(status), &json!("info")), "{line}");
        sent += 1;
    }
    assert_eq!(app.host.log_of("request").len(), sent, "one line for each request");
}

#[tokio::test]
async fn a_bypass_is_the_cache_status_of_an_outage() {
    let mut app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    app.redis.kill().await.unwrap();
    let response = app.get(format!("/users/{id}")).await;
    assert!(response.is_bypass(), "{response:?}");
    expect_members(&app.host.request_line("users", &response).await, Some("bypass"));
}

#[tokio::test]
async fn failures_of_the_service_are_warnings() {
    let stopped = "http://127.0.0.1:1";
    let app = App::builder().variable("user_service_url", stopped).variable("user_service_egress", stopped);
    let app = app.spawn().await;
    let request = app.with_jwt(7, &["user"]).post("/sellers").json(json!({"businessName": "Ada & Co"}));
    let response: Response = request.await;
    response.expect_problem(503, "user-service-unavailable");
    let line = app.host.request_line("sellers", &response).await;
    assert_eq!((&line["level"], &line["status"]), (&json!("warn"), &json!(503)), "{line}");
}

#[tokio::test]
async fn events_of_the_business_have_lines_with_the_trace_of_their_request() {
    let app = App::spawn().await;
    let user = json!({"name": "Ada", "email": "ada@example.org"});
    let created = app.post("/users").json(user).await;
    assert_eq!(created.status(), 201, "{created:?}");
    until("the creation is in the log", async || {
        let lines = app.host.log_of("user created");
        lines.iter().any(|line| line["component"] == "users" && line["trace_id"] == created.trace_id())
    })
    .await;
    app.given_lock("orders", 60_000).await;
    let broken = app.admin().delete("/admin/locks/orders").await;
    assert_eq!(broken.expect_ok()["broken"], true);
    until("the broken lock is in the log", async || {
        let of_it = |line: &Value| line["trace_id"] == broken.trace_id() && line["subject"] == "locks/orders";
        app.host.log_of("lock broken").iter().any(of_it)
    })
    .await;
}

#[tokio::test]
async fn a_terminal_s_format_can_be_chosen() {
    let app = App::builder().host_arg("--env", "LOG_FORMAT=text").spawn().await;
    let id = app.given_user_id("ada").await;
    app.get(format!("/users/{id}")).await.expect_ok();
    until("the request is in the log", async || {
        let output = app.host.output();
        let words = ["users", "GET", "/users/{id}", "200", "miss"];
        output.lines().any(|line| words.iter().all(|word| line.contains(word)))
    })
    .await;
    assert_eq!(app.host.log(), Vec::<Value>::new(), "no line is JSON");
    let json = App::builder().host_arg("--env", "LOG_FORMAT=json").spawn().await;
    let response = json.get("/users/1").await;
    json.host.request_line("users", &response).await;
}

#[tokio::test]
async fn redis_is_reported_once_per_change_of_state() {
    const REQUESTS: usize = 60;
    /// A host may have one instance for each core. They live as long as the test.
    const INSTANCES: usize = 8;
    let mut app = App::builder()
        .host_arg("--max-instance-reuse-count", "100000")
        .host_arg("--idle-instance-timeout", "60s")
        .spawn()
        .await;
    let id = app.given_user_id("ada").await;
    let path = format!("/users/{id}");
    let count = |app: &App, event: &str| {
        let lines = app.host.log_of(event);
        lines.iter().filter(|line| line["component"] == "users").count()
    };
    for outage in 1..=2 {
        until("the cache is used", async || app.get(&path).await.is_hit()).await;
        app.redis.kill().await.unwrap();
        until("Redis is reported", async || {
            assert_eq!(app.get(&path).await.status(), 200);
            count(&app, "Redis is unreachable") >= outage
        })
        .await;
        for _ in 0..REQUESTS {
            let response = app.get(&path).await;
            assert!(response.is_bypass(), "{response:?}");
        }
        let lines = app.host.log_of("Redis is unreachable");
        assert!(count(&app, "Redis is unreachable") <= outage * INSTANCES, "{lines:?}");
        app.redis.restart().await.unwrap();
        until("Redis is reported again", async || {
            app.get(&path).await.expect_ok();
            count(&app, "Redis is reachable again") >= outage
        })
        .await;
        assert!(count(&app, "Redis is reachable again") <= outage * INSTANCES);
    }
    // Nothing else was logged for each request.
    let others =
        app.host.log().iter().filter(|line| line["event"] != "request" && line["component"] == "users").count();
    assert!(others < REQUESTS / 2, "{others} lines: {:?}", app.host.log().last());
}
