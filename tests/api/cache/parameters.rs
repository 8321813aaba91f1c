//! Parameters, paths and methods that the cache component refuses. Each response names what is wrong, and nothing is
//! stored or removed.

use reqwest::Method;
use serde_json::json;

use super::{app_with_one_entry, expect_untouched};

#[tokio::test]
async fn an_invalid_ttl_is_refused() {
    let app = app_with_one_entry().await;
    for bad in ["0", "-1", "abc", "1.5", "", "2592001", "1e3", "%205", "99999999999999999999", "60s", "0x10"] {
        for method in [Method::GET, Method::PUT] {
            let response = app.request(method.clone(), format!("/api/cache/a?ttl={bad}")).json(json!(1)).await;
            assert_eq!(response.expect_errors(400, "invalid-parameter"), ["ttl"], "{method} {bad}");
        }
    }
    let duplicate = app.get("/api/cache/a?ttl=5&ttl=5").await;
    assert_eq!(duplicate.expect_errors(400, "invalid-parameter"), ["ttl"]);
    expect_untouched(&app).await;
}

#[tokio::test]
async fn invalid_parameters_are_refused() {
    let app = app_with_one_entry().await;
    let long = format!("/admin/cache/user/{}", "a".repeat(129));
    let table = [
        (Method::GET, "/api/cache/a?TTL=5", vec!["TTL"]),
        (Method::PUT, "/api/cache/a?nx=1", vec!["nx"]),
        (Method::HEAD, "/api/cache/a?ttl=5", vec![]),
        (Method::DELETE, "/api/cache/kept?ttl=5", vec!["ttl"]),
        (Method::GET, "/api/cache/stats?module=kv", vec!["module"]),
        (Method::GET, "/admin/cache/stats?module=kv", vec!["module"]),
        (Method::GET, "/admin/cache/entries?module=a*", vec!["module"]),
        (Method::GET, "/admin/cache/entries?module=kv&operation=a:b", vec!["operation"]),
        (Method::GET, "/admin/cache/entries?module=kv&limit=0", vec!["limit"]),
        (Method::GET, "/admin/cache/entries?module=kv&limit=1001", vec!["limit"]),
        (Method::GET, "/admin/cache/entries?module=kv&limit=ten", vec!["limit"]),
        (Method::GET, "/admin/cache/entries?module=kv&limit=1&limit=2", vec!["limit"]),
        (Method::GET, "/admin/cache/entries?module=kv&cursor=x", vec!["cursor"]),
        (Method::GET, "/admin/cache/entries?module=kv&cursor=", vec!["cursor"]),
        (Method::GET, "/admin/cache/entries?module=kv&page=2", vec!["page"]),
        (Method::DELETE, "/admin/cache/module/k%20v", vec!["module"]),
        (Method::DELETE, "/admin/cache/module/*", vec!["module"]),
        (Method::DELETE, "/admin/cache/module/%ff", vec!["module"]),
        (Method::DELETE, "/admin/cache/module/kv?operation=get", vec!["operation"]),
        (Method::DELETE, "/admin/cache/operation/kv/a:b", vec!["operation"]),
        (Method::DELETE, "/admin/cache/operation/*/get", vec!["module"]),
        (Method::DELETE, &long, vec!["id"]),
        (Method::DELETE, "/admin/cache/user/%ff", vec!["id"]),
        (Method::DELETE, "/admin/cache?module=kv", vec!["module"]),
        (Method::POST, "/admin/cache/stats/reset?module=kv", vec!["module"]),
    ];
    for (method, path, fields) in table {
        let response = app.admin().request(method.clone(), path).json(json!(1)).await;
        if method == Method::HEAD {
            assert_eq!(response.status(), 400, "{path}");
        } else {
            assert_eq!(response.expect_errors(400, "invalid-parameter"), fields, "{method} {path}");
        }
    }
    expect_untouched(&app).await;
}

#[tokio::test]
async fn unknown_routes_and_methods_are_refused() {
    let app = app_with_one_entry().await;
    let ask = async |method: &Method, path: &str| app.admin().request(method.clone(), path).await;
    for path in ["/admin/cache/nothing", "/admin/cache/module", "/admin/cache/module/kv/get", "/admin/cache/user/1/2"] {
        ask(&Method::DELETE, path).await.expect_problem(404, "not-found");
    }
    let table = [
        (Method::POST, "/api/cache/a", ["GET", "PUT", "DELETE"].as_slice()),
        (Method::PATCH, "/api/cache/a", &["GET", "PUT", "DELETE"]),
        (Method::GET, "/api/cache/warm", &["POST"]),
        (Method::PUT, "/api/cache/mset", &["POST"]),
        (Method::DELETE, "/api/cache/mget", &["POST"]),
        (Method::DELETE, "/api/cache/invalidate", &["POST"]),
        (Method::PUT, "/api/cache/stats", &["GET"]),
        (Method::DELETE, "/api/cache/stats", &["GET"]),
        (Method::GET, "/admin/cache", &["DELETE"]),
        (Method::GET, "/admin/cache/stats/reset", &["POST"]),
        (Method::POST, "/admin/cache/stats", &["GET"]),
        (Method::GET, "/admin/cache/module/kv", &["DELETE"]),
        (Method::GET, "/admin/cache/user/1", &["DELETE"]),
        (Method::DELETE, "/admin/cache/entries", &["GET"]),
    ];
    for (method, path, allowed) in table {
        let response = ask(&method, path).await;
        response.expect_problem(405, "method-not-allowed");
        let field: Vec<&str> = response.header("allow").split(',').map(str::trim).collect();
        assert!(allowed.iter().all(|method| field.contains(method)), "{method} {path}: {response:?}");
    }
    expect_untouched(&app).await;
}
