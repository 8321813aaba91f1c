//! GET /metrics: requests, by component, route, method and status, and how long they took.

use std::collections::HashSet;
use std::time::Instant;

use blackbox::{App, Metrics, Origin, until};
use reqwest::Method;
use serde_json::json;

const REQUESTS: &str = "tumbler_http_requests_total";
const DURATION: &str = "tumbler_http_request_duration_seconds";

/// The number of requests with these labels.
fn requests(metrics: &Metrics, component: &str, route: &str, method: &str, class: &str) -> u64 {
    let labels = [("component", component), ("route", route), ("method", method), ("status_class", class)];
    metrics.counter(REQUESTS, &labels)
}

/// Waits until the components have counted so many requests; those for metrics are not among them.
async fn until_counted(app: &App, components: &[&str], number: u64) -> Metrics {
    let mut metrics = app.metrics().await;
    until("all requests are counted", async || {
        metrics = app.metrics().await;
        let count = |component: &&str| metrics.counter(REQUESTS, &[("component", component)]);
        let counted: u64 = components.iter().map(count).sum();
        assert!(counted <= number, "{counted} of {number} requests");
        counted == number
    })
    .await;
    metrics
}

#[tokio::test]
async fn requests_are_counted_by_component_route_method_and_status() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    let path = format!("/users/{id}");
    for _ in 0..3 {
        app.get(&path).await.expect_ok();
    }
    app.get(&path).header("if-none-match", "*").await.expect_success();
    app.head(&path).await.expect_success();
    app.get("/users/404404").await.expect_problem(404, "not-found");
    app.get("/users/x").await.expect_problem(400, "invalid-parameter");
    app.get("/users?limit=0").await.expect_problem(400, "invalid-parameter");
    app.patch(&path).json(json!({"name": "Al"})).await.expect_ok();
    app.delete(&path).await.expect_success();
    app.get("/users/a/b/c").await.expect_problem(404, "not-found");
    app.get("/sellers").await.expect_problem(401, "unauthorized");
    app.get("/admin/locks").await.expect_problem(401, "unauthorized");
    app.put("/api/cache/a:b").json(json!(1)).await.expect_success();
    app.get("/health").await.expect_ok();
    let metrics = until_counted(&app, &["users", "sellers", "locks", "cache"], 1 + 3 + 2 + 3 + 2 + 1 + 1 + 1 + 1).await;
    let expected = [
        ("users", "/users", "POST", "2xx", 1),
        ("users", "/users/{id}", "GET", "2xx", 3),
        ("users", "/users/{id}", "GET", "3xx", 1),
        ("users", "/users/{id}", "HEAD", "2xx", 1),
        ("users", "/users/{id}", "GET", "4xx", 2),
        ("users", "/users", "GET", "4xx", 1),
        ("users", "/users/{id}", "PATCH", "2xx", 1),
        ("users", "/users/{id}", "DELETE", "2xx", 1),
        ("users", "none", "GET", "4xx", 1),
        ("sellers", "/sellers", "GET", "4xx", 1),
        ("locks", "/admin/locks", "GET", "4xx", 1),
        ("cache", "/api/cache/{key}", "PUT", "2xx", 1),
        ("ops", "/health", "GET", "2xx", 1),
    ];
    for (component, route, method, class, number) in expected {
        let counted = requests(&metrics, component, route, method, class);
        assert_eq!(counted, number, "{method} {route} of {component} {class}");
    }
    assert!(requests(&metrics, "ops", "/metrics", "GET", "2xx") >= 1);
}

#[tokio::test]
async fn clients_cannot_invent_labels() {
    let app = App::spawn().await;
    for number in 0..20 {
        app.get(format!("/users/secret-{number}/x%22,y=%22z")).await;
    }
    // No route has it. Methods that clients make up are refused by our host, before any component.
    app.request(Method::TRACE, "/users").await;
    let metrics = until_counted(&app, &["users"], 21).await;
    assert_eq!(requests(&metrics, "users", "none", "GET", "4xx"), 20);
    let values = metrics.label_values(REQUESTS, "route");
    assert!(values.iter().all(|route| ["none", "/users", "/metrics"].contains(&route.as_str())), "{values:?}");
    assert!(!metrics.label_values(REQUESTS, "method").contains(&"TRACE".to_owned()));
}

#[tokio::test]
async fn failures_of_the_service_are_counted_as_5xx() {
    let stopped = "http://127.0.0.1:1";
    let app = App::builder().variable("user_service_url", stopped).variable("user_service_egress", stopped);
    let app = app.spawn().await;
    let request = app.with_jwt(7, &["user"]).post("/sellers").json(json!({"businessName": "Ada & Co"}));
    request.await.expect_problem(503, "user-service-unavailable");
    let metrics = until_counted(&app, &["sellers"], 1).await;
    assert_eq!(requests(&metrics, "sellers", "/sellers", "POST", "5xx"), 1);
}

#[tokio::test]
async fn requests_of_other_components_are_counted() {
    let app = App::spawn().await;
    app.given_seller("ada").await;
    // Sellers asked for the user.
    let metrics = until_counted(&app, &["users", "sellers"], 3).await;
    assert_eq!(requests(&metrics, "users", "/users/{id}", "GET", "2xx"), 1);
    assert_eq!(requests(&metrics, "sellers", "/sellers", "POST", "2xx"), 1);
}

#[tokio::test]
async fn durations_are_in_cumulative_buckets() {
    let bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, f64::INFINITY];
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    let start = Instant::now();
    for _ in 0..20 {
        app.get(format!("/users/{id}")).await.expect_ok();
    }
    app.get("/users/0").await.expect_problem(400, "invalid-parameter");
    let took = start.elapsed().as_secs_f64();
    let metrics = until_counted(&app, &["users"], 22).await;
    let histogram = metrics.histogram(DURATION, &[("component", "users"), ("route", "/users/{id}")]);
    let found: Vec<_> = histogram.buckets.iter().map(|bucket| bucket.upper_bound).collect();
    assert_eq!(found, bounds);
    let counts: Vec<_> = histogram.buckets.iter().map(|bucket| bucket.count.as_f64() as u64).collect();
    assert!(counts.is_sorted(), "{counts:?}");
    assert_eq!((counts.last(), histogram.count), (Some(&21), Some(21)), "{counts:?}");
    let sum = histogram.sum.expect("a histogram has a sum").as_f64();
    // Requests came one after the other, so that all of them together took no longer than the test.
    assert!(0.0 < sum && sum <= took, "{sum} of {took} seconds");
}

#[tokio::test]
async fn a_slow_request_is_in_a_late_bucket() {
    let origin = Origin::start().await;
    origin.delay(std::time::Duration::from_millis(600));
    let app = App::builder().origin(&origin).spawn().await;
    app.get("/api/cache/slow").await.expect_ok();
    let metrics = until_counted(&app, &["cache"], 1).await;
    let histogram = metrics.histogram(DURATION, &[("component", "cache"), ("route", "/api/cache/{key}")]);
    for bucket in &histogram.buckets {
        let expected = if bucket.upper_bound <= 0.5 { 0.0 } else { bucket.count.as_f64() };
        assert_eq!(bucket.count.as_f64(), expected, "{bucket:?}");
    }
    assert!(histogram.sum.unwrap().as_f64() >= 0.6, "{histogram:?}");
}

#[tokio::test]
async fn all_instances_and_hosts_add_to_the_same_counters() {
    let app = App::builder().instance_per_request().spawn().await;
    let (_host, other) = app.second_host().await;
    let id = app.given_user_id("ada").await;
    for _ in 0..5 {
        app.get(format!("/users/{id}")).await.expect_ok();
        other.get(format!("/users/{id}")).await.expect_ok();
    }
    let metrics = until_counted(&app, &["users"], 11).await;
    assert_eq!(requests(&metrics, "users", "/users/{id}", "GET", "2xx"), 10);
    let shared = [("component", "users")];
    assert_eq!(other.metrics().await.counter(REQUESTS, &shared), metrics.counter(REQUESTS, &shared));
}

#[tokio::test]
async fn counting_costs_cached_reads_no_round_trip() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    app.put("/api/cache/a").json(json!(1)).await.expect_success();
    for path in [format!("/users/{id}"), "/api/cache/a".to_owned()] {
        for _ in 0..3 {
            app.get(&path).await;
        }
        let mut monitor = app.redis.monitor().await;
        monitor.settle().await;
        for _ in 0..20 {
            assert!(app.get(&path).await.is_hit());
        }
        let commands = monitor.commands().await;
        let (counts, reads): (Vec<_>, Vec<_>) = commands.iter().partition(|command| command.is_counter());
        // An instance that is new has no hint yet, and needs two more commands once. Each has a connection of its own.
        let instances: HashSet<_> = reads.iter().map(|command| &command.client).collect();
        assert!(reads.len() <= 20 + 2 * instances.len(), "{path}: {reads:?}");
        assert!(
            counts.iter().any(|command| command.args.get(1).is_some_and(|field| field.starts_with("http:"))),
            "{path}: {counts:?}"
        );
    }
}

#[tokio::test]
async fn without_redis_metrics_are_unavailable() {
    let mut app = App::spawn().await;
    app.metrics().await;
    app.redis.kill().await.unwrap();
    app.get("/metrics").await.expect_unavailable();
    app.redis.restart().await.unwrap();
    until("metrics are back", async || app.get("/metrics").await.status() == 200).await;
}
