//! The counters in Redis: each has an expiry, whatever happens. The counters in GET /metrics.

use blackbox::{App, until};
use serde_json::json;

use super::{expect_refused, far_from_midnight, limited};

/// How long counters may live: two windows and a margin.
fn ttl_max_ms(window_ms: i64) -> i64 {
    2 * window_ms + 1_000
}

/// Every counter has an expiry. Returns how many there are.
async fn expect_expiry(app: &App, window_ms: i64) -> usize {
    let keys: Vec<_> = app.redis.keys().await.into_iter().filter(|key| key.starts_with("ratelimit")).collect();
    for key in &keys {
        let ttl: i64 = app.redis.ask(&["PTTL", key]).await;
        // -2: it has expired since.
        assert!(ttl == -2 || (0..=ttl_max_ms(window_ms)).contains(&ttl), "{key}: {ttl} ms");
    }
    keys.len()
}

#[tokio::test]
async fn every_counter_has_an_expiry() {
    far_from_midnight().await;
    let app = App::builder()
        .variable("rate_limit", "3/24h")
        .variable("rate_limit_overrides", "users.write=1/24h,cache=2/24h")
        .variable("trusted_proxies", "127.0.0.1")
        .spawn()
        .await;
    for client in 0..10 {
        let forwarded = format!("203.0.113.{client}");
        for _ in 0..5 {
            for request in [app.get("/users"), app.post("/users").json(json!({})), app.get("/api/cache/a")] {
                request.header("x-forwarded-for", &forwarded).await;
            }
        }
    }
    let body = json!({"key": "k", "limit": 2, "window": 86_400_000});
    for _ in 0..4 {
        app.post("/api/ratelimit/check").json(&body).await;
    }
    assert!(expect_expiry(&app, 86_400_000).await > 30);
}

#[tokio::test]
async fn counters_disappear_with_their_windows() {
    let app = App::builder().variable("rate_limit", "1000/1s").spawn().await;
    for _ in 0..20 {
        app.get("/users").await.expect_ok();
    }
    expect_expiry(&app, 1_000).await;
    until("all counters have expired", async || expect_expiry(&app, 1_000).await == 0).await;
}

#[tokio::test]
async fn a_killed_host_leaves_no_counter_without_an_expiry() {
    let mut app = App::builder().variable("rate_limit", "5/1s").variable("trusted_proxies", "127.0.0.1").spawn().await;
    for round in 0..4 {
        let clients = (0..40).map(|client| {
            let api = app.api.clone();
            tokio::spawn(async move {
                // Until the host dies.
                let forwarded = format!("203.0.{round}.{client}");
                while api.get("/api/cache/a").header("x-forwarded-for", &forwarded).send().await.is_ok() {}
            })
        });
        let clients: Vec<_> = clients.collect();
        until("requests are counted", async || expect_expiry(&app, 1_000).await > 40).await;
        app.kill_host().await;
        for client in clients {
            client.await.unwrap();
        }
        expect_expiry(&app, 1_000).await;
        app.restart_host().await;
    }
    until("all counters have expired", async || expect_expiry(&app, 1_000).await == 0).await;
}

#[tokio::test]
async fn refusals_are_counted_by_class() {
    far_from_midnight().await;
    let app = App::builder().variable("rate_limit", "1/24h").variable("rate_limit_overrides", "users.write=1/24h");
    let app = app.spawn().await;
    for _ in 0..4 {
        app.get("/users").await;
    }
    for _ in 0..3 {
        app.post("/users").json(json!({})).await;
    }
    until("all refusals are counted", async || {
        let metrics = app.metrics().await;
        let refused = |class: &str| metrics.counter("tumbler_rate_limited_total", &[("class", class)]);
        assert!(refused("default") <= 3 && refused("users.write") <= 2);
        [refused("default"), refused("users.write")] == [3, 2]
    })
    .await;
    let metrics = app.metrics().await;
    assert_eq!(metrics.counter("tumbler_rate_limit_bypassed_total", &[]), 0);
    let labels = [("component", "users"), ("status_class", "4xx")];
    until("the responses are counted", async || {
        // 3 of them were allowed, and not valid.
        app.metrics().await.counter("tumbler_http_requests_total", &labels) == 3 + 3
    })
    .await;
}

#[tokio::test]
async fn a_refusal_leaves_a_line_in_the_log() {
    let app = limited(1).await;
    app.get("/users").await.expect_ok();
    let refused = app.get("/users").await;
    expect_refused(&refused, "default");
    let line = app.host.request_line("users", &refused).await;
    assert_eq!((&line["status"], &line["level"]), (&json!(429), &json!("info")), "{line}");
}
