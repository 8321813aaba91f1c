//! Tokens: /api/cache is open unless `api_token` is set, /admin/cache always needs the admin token.

use blackbox::{ADMIN_TOKEN, App, Response};
use reqwest::Method;
use serde_json::json;

const API_TOKEN: &str = "a-token-for-programs";

const ADMIN: [(Method, &str); 7] = [
    (Method::GET, "/admin/cache/stats"),
    (Method::GET, "/admin/cache/entries?module=kv"),
    (Method::DELETE, "/admin/cache/module/kv"),
    (Method::DELETE, "/admin/cache/operation/kv/get"),
    (Method::DELETE, "/admin/cache/user/1"),
    (Method::DELETE, "/admin/cache"),
    (Method::POST, "/admin/cache/stats/reset"),
];

const API: [(Method, &str, &str); 9] = [
    (Method::GET, "/api/cache/a", ""),
    (Method::PUT, "/api/cache/a", "1"),
    (Method::HEAD, "/api/cache/a", ""),
    (Method::DELETE, "/api/cache/a", ""),
    (Method::POST, "/api/cache/warm", r#"{"keys":["a"]}"#),
    (Method::POST, "/api/cache/invalidate", r#"{"key":"a"}"#),
    (Method::POST, "/api/cache/mget", r#"{"keys":["a"]}"#),
    (Method::POST, "/api/cache/mset", r#"{"entries":{"a":1}}"#),
    (Method::GET, "/api/cache/stats", ""),
];

async fn ask(app: &App, method: &Method, path: &str, body: &str, authorization: Option<&str>) -> Response {
    let mut request = app.request(method.clone(), path);
    if !body.is_empty() {
        request = request.json_text(body);
    }
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    request.await
}

fn expect_refused(response: &Response, method: &Method, status: u16, kind: &str, challenge: &[&str]) {
    if method == Method::HEAD {
        assert_eq!(response.status(), status, "{response:?}");
    } else {
        response.expect_problem(status, kind);
    }
    let field = response.header("www-authenticate");
    assert!(field.starts_with("Bearer realm=\"tumbler\""), "{response:?}");
    assert!(challenge.iter().all(|part| field.contains(part)), "{field} lacks one of {challenge:?}");
    assert!(!field.contains("error=") || !challenge.is_empty(), "{field} reports an error without a token");
}

/// Values of `Authorization` that are not the admin token.
fn wrong() -> Vec<String> {
    let token = ADMIN_TOKEN;
    let mut wrong: Vec<String> = ["Bearer", "Bearer ", "Bearer wrong", "Basic YTpi", "wrong"].map(str::to_owned).into();
    wrong.extend([token.to_owned(), format!("Bearer {token}x"), format!("Bearer {}", &token[..token.len() - 1])]);
    wrong.extend([format!("Basic {token}"), format!("Bearer {token} {token}"), format!("Bearer {token},")]);
    wrong
}

#[tokio::test]
async fn admin_routes_need_the_admin_token() {
    let app = App::spawn().await;
    assert_eq!(app.put("/api/cache/a").json(json!(1)).await.status(), 200);
    for (method, path) in &ADMIN {
        let nobody = ask(&app, method, path, "", None).await;
        expect_refused(&nobody, method, 401, "unauthorized", &[]);
        for value in wrong() {
            let response = ask(&app, method, path, "", Some(&value)).await;
            assert_eq!(response.status(), 401, "{method} {path} with {value}: {response:?}");
            assert!(response.header("www-authenticate").starts_with("Bearer realm=\"tumbler\""), "{response:?}");
            response.expect_problem(401, "unauthorized");
        }
        let guess = ask(&app, method, path, "", Some("Bearer wrong")).await;
        expect_refused(&guess, method, 401, "unauthorized", &["error=\"invalid_token\""]);
    }
    assert!(app.get("/api/cache/a").await.is_hit(), "a refused request took effect");
    for scheme in ["Bearer", "bearer", "BEARER"] {
        for (method, path) in &ADMIN {
            let response = ask(&app, method, path, "", Some(&format!("{scheme} {ADMIN_TOKEN}"))).await;
            response.expect_ok();
            assert_eq!(response.header("cache-control"), "no-store", "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_api_needs_a_token_only_if_one_is_configured() {
    let open = App::spawn().await;
    for (method, path, body) in &API {
        let response = ask(&open, method, path, body, None).await;
        assert!([200, 404].contains(&response.status()), "{method} {path}: {response:?}");
    }
    let app = App::builder().variable("api_token", API_TOKEN).spawn().await;
    for (method, path, body) in &API {
        let nobody = ask(&app, method, path, body, None).await;
        expect_refused(&nobody, method, 401, "unauthorized", &[]);
        let guess = ask(&app, method, path, body, Some("Bearer wrong")).await;
        expect_refused(&guess, method, 401, "unauthorized", &["error=\"invalid_token\""]);
        for token in [API_TOKEN, ADMIN_TOKEN] {
            let response = ask(&app, method, path, body, Some(&format!("Bearer {token}"))).await;
            assert!([200, 404].contains(&response.status()), "{method} {path}: {response:?}");
        }
    }
    for (method, path) in &ADMIN {
        let program = ask(&app, method, path, "", Some(&format!("Bearer {API_TOKEN}"))).await;
        expect_refused(&program, method, 403, "forbidden", &["error=\"insufficient_scope\""]);
        ask(&app, method, path, "", Some(&format!("Bearer {ADMIN_TOKEN}"))).await.expect_ok();
    }
}

#[tokio::test]
async fn without_a_token_a_request_learns_nothing() {
    let app = App::builder().variable("api_token", API_TOKEN).spawn().await;
    let requests = [
        (Method::POST, "/api/cache/mset", "{"),
        (Method::POST, "/api/cache/invalidate", r#"{"key":"a","pattern":"*"}"#),
        (Method::GET, "/api/cache/%ff", ""),
        (Method::GET, "/admin/cache/entries?limit=x", ""),
        (Method::DELETE, "/admin/cache/user/x", ""),
    ];
    for (method, path, body) in requests {
        let response = ask(&app, &method, path, body, None).await;
        expect_refused(&response, &method, 401, "unauthorized", &[]);
    }
    let large = "x".repeat(100_000);
    let response = ask(&app, &Method::POST, "/api/cache/mset", &large, None).await;
    expect_refused(&response, &Method::POST, 401, "unauthorized", &[]);
}

#[tokio::test]
async fn an_empty_admin_token_gives_no_access() {
    let app = App::builder().variable("admin_token", "").spawn().await;
    for value in [None, Some("Bearer"), Some("Bearer "), Some("Bearer \"\"")] {
        let response = ask(&app, &Method::DELETE, "/admin/cache", "", value).await;
        response.expect_problem(500, "internal");
        assert!(!response.text().contains("admin_token"), "{response:?}");
    }
    assert!(app.host.output().contains("the variable admin_token must"), "{}", app.host.output());
}
