//! The variables of rate limits that are not valid.

use blackbox::App;

#[tokio::test]
async fn an_invalid_value_is_logged_and_every_request_fails() {
    let table = [
        ("rate_limit", "100"),
        ("rate_limit", "0/60s"),
        ("rate_limit", "-1/60s"),
        ("rate_limit", "100/0s"),
        ("rate_limit", "100/60"),
        ("rate_limit", "100/500ms"),
        ("rate_limit", "ten/60s"),
        ("rate_limit", "100/60s, 5/1s"),
        ("rate_limit_overrides", "users"),
        ("rate_limit_overrides", "users=100"),
        ("rate_limit_overrides", "=100/60s"),
        ("rate_limit_overrides", "users=1/60s,users=2/60s"),
        ("rate_limit_overrides", "users=1/60s;cache=2/60s"),
        ("trusted_proxies", "localhost"),
        ("trusted_proxies", "127.0.0.1/33"),
        ("trusted_proxies", "127.0.0.1,,::1"),
        ("trusted_proxies", "127.0.0.1:80"),
    ];
    for (name, value) in table {
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
