//! Who may use the cache: /api/cache is open unless `api_token` is set, /admin/cache never is.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;

use answer::{Answer, read};
use blackbox::{ADMIN_TOKEN, App};
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

async fn ask(app: &App, method: &Method, path: &str, body: &str, authorization: Option<&str>) -> Answer {
    let mut request = app.request(method.clone(), path);
    if !body.is_empty() {
        request = request.header("content-type", "application/json").body(body.to_owned());
    }
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    read(request.send().await.unwrap()).await
}

fn expect_refused(answer: &Answer, method: &Method, status: u16, kind: &str, challenge: &[&str]) {
    if method == Method::HEAD {
        assert_eq!(answer.status, status, "{answer:?}");
    } else {
        answer.expect_problem(status, kind);
    }
    let field = answer.header("www-authenticate");
    assert!(field.starts_with("Bearer realm=\"tumbler\""), "{answer:?}");
    assert!(challenge.iter().all(|part| field.contains(part)), "{field} should say {challenge:?}");
    assert!(!field.contains("error=") || !challenge.is_empty(), "{field} speaks of an error where none was made");
}

/// Values of Authorization that are no token of ours.
fn wrong() -> Vec<String> {
    let token = ADMIN_TOKEN;
    let mut wrong: Vec<String> = ["Bearer", "Bearer ", "Bearer wrong", "Basic YTpi", "wrong"].map(str::to_owned).into();
    wrong.extend([token.to_owned(), format!("Bearer {token}x"), format!("Bearer {}", &token[..token.len() - 1])]);
    wrong.extend([format!("Basic {token}"), format!("Bearer {token} {token}"), format!("Bearer {token},")]);
    wrong
}

#[tokio::test]
async fn admin_routes_ask_for_the_admin_token() {
    let app = App::spawn().await;
    assert_eq!(app.put_cached("a", "", &json!(1)).await.status(), 200);
    for (method, path) in &ADMIN {
        let nobody = ask(&app, method, path, "", None).await;
        expect_refused(&nobody, method, 401, "unauthorized", &[]);
        for value in wrong() {
            let answer = ask(&app, method, path, "", Some(&value)).await;
            assert_eq!(answer.status, 401, "{method} {path} with {value}: {answer:?}");
            assert!(answer.header("www-authenticate").starts_with("Bearer realm=\"tumbler\""), "{answer:?}");
            answer.expect_problem(401, "unauthorized");
        }
        let guess = ask(&app, method, path, "", Some("Bearer wrong")).await;
        expect_refused(&guess, method, 401, "unauthorized", &["error=\"invalid_token\""]);
    }
    assert!(read(app.get_cached("a").await).await.is_hit(), "a refused request took effect");
    for scheme in ["Bearer", "bearer", "BEARER"] {
        for (method, path) in &ADMIN {
            let answer = ask(&app, method, path, "", Some(&format!("{scheme} {ADMIN_TOKEN}"))).await;
            answer.expect_ok();
            assert_eq!(answer.header("cache-control"), "no-store", "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_api_is_open_without_a_token_and_closed_with_one() {
    let open = App::spawn().await;
    for (method, path, body) in &API {
        let answer = ask(&open, method, path, body, None).await;
        assert!([200, 404].contains(&answer.status.as_u16()), "{method} {path}: {answer:?}");
    }
    let app = App::builder().variable("api_token", API_TOKEN).spawn().await;
    for (method, path, body) in &API {
        let nobody = ask(&app, method, path, body, None).await;
        expect_refused(&nobody, method, 401, "unauthorized", &[]);
        let guess = ask(&app, method, path, body, Some("Bearer wrong")).await;
        expect_refused(&guess, method, 401, "unauthorized", &["error=\"invalid_token\""]);
        for token in [API_TOKEN, ADMIN_TOKEN] {
            let answer = ask(&app, method, path, body, Some(&format!("Bearer {token}"))).await;
            assert!([200, 404].contains(&answer.status.as_u16()), "{method} {path}: {answer:?}");
        }
    }
    for (method, path) in &ADMIN {
        let program = ask(&app, method, path, "", Some(&format!("Bearer {API_TOKEN}"))).await;
        expect_refused(&program, method, 403, "forbidden", &["error=\"insufficient_scope\""]);
        ask(&app, method, path, "", Some(&format!("Bearer {ADMIN_TOKEN}"))).await.expect_ok();
    }
}

#[tokio::test]
async fn who_may_not_use_it_learns_nothing_about_it() {
    let app = App::builder().variable("api_token", API_TOKEN).spawn().await;
    let requests = [
        (Method::POST, "/api/cache/mset", "{"),
        (Method::POST, "/api/cache/invalidate", r#"{"key":"a","pattern":"*"}"#),
        (Method::GET, "/api/cache/%ff", ""),
        (Method::GET, "/admin/cache/entries?limit=x", ""),
        (Method::DELETE, "/admin/cache/user/x", ""),
    ];
    for (method, path, body) in requests {
        let answer = ask(&app, &method, path, body, None).await;
        expect_refused(&answer, &method, 401, "unauthorized", &[]);
    }
    let large = "x".repeat(100_000);
    let answer = ask(&app, &Method::POST, "/api/cache/mset", &large, None).await;
    expect_refused(&answer, &Method::POST, 401, "unauthorized", &[]);
}

#[tokio::test]
async fn an_empty_admin_token_opens_nothing() {
    let app = App::builder().variable("admin_token", "").spawn().await;
    for value in [None, Some("Bearer"), Some("Bearer "), Some("Bearer \"\"")] {
        let answer = ask(&app, &Method::DELETE, "/admin/cache", "", value).await;
        answer.expect_problem(500, "internal");
        assert!(!answer.body.contains("admin_token"), "{answer:?}");
    }
    assert!(app.host.output().contains("the variable admin_token must"), "{}", app.host.output());
}
