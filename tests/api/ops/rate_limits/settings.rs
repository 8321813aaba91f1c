//! The variables of rate limits that are not valid.

use blackbox::App;

/// Every component logs the variable, and refuses all requests.
async fn expect_invalid(name: &str, values: &[&str]) {
    for value in values {
        let app = App::builder().variable(name, value).spawn().await;
        for path in ["/users", "/sellers", "/api/cache/a", "/api/cache/lock/a", "/health"] {
            let response = app.get(path).await;
            response.expect_problem(500, "internal");
            assert!(!response.text().contains(name), "{response:?}");
        }
        let log = app.host.output();
        assert!(log.contains(&format!("the variable {name} must be")), "{name}={value}: {log}");
    }
}

#[tokio::test]
async fn a_default_that_is_no_policy_is_logged_and_every_request_fails() {
    let policies = ["100", "0/60s", "-1/60s", "100/0s", "100/60", "100/500ms", "ten/60s", "100/60s, 5/1s"];
    expect_invalid("rate_limit", &policies).await;
}

#[tokio::test]
async fn overrides_that_are_no_list_are_logged_and_every_request_fails() {
    let twice = "users=1/60s,users=2/60s";
    let lists = ["users", "users=100", "=100/60s", twice, "users=1/60s;cache=2/60s"];
    expect_invalid("rate_limit_overrides", &lists).await;
}

#[tokio::test]
async fn proxies_that_are_no_addresses_are_logged_and_every_request_fails() {
    expect_invalid("trusted_proxies", &["localhost", "127.0.0.1/33", "127.0.0.1,,::1", "127.0.0.1:80"]).await;
}
