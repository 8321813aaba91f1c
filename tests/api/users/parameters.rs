//! Paths, parameters, conditions and methods that the users service refuses. Each response names what is wrong.

use blackbox::App;
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn an_invalid_id_is_refused() {
    let app = App::spawn().await;
    let body = json!({"name": "Al"});
    for id in
        ["abc", "0", "-1", "9223372036854775808", "1.0", "01", "+1", "%20", "1%00", "1e3", "batches", "%ff", "%zz"]
    {
        let path = format!("/users/{id}");
        for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
            let response = app.request(method.clone(), &path).json(&body).await;
            assert_eq!(response.expect_errors(400, "invalid-parameter"), ["id"], "{method} {path}");
        }
    }
    let largest = app.get("/users/9223372036854775807").await;
    largest.expect_problem(404, "not-found");
    let id = app.given_user_id("ada").await;
    assert_eq!(app.get(format!("/users/%3{id}")).await.status(), 200, "percent-encoding changes nothing");
}

#[tokio::test]
async fn invalid_parameters_of_the_list_are_refused() {
    let app = App::spawn().await;
    let table = [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=abc", "limit"),
        ("limit=-1", "limit"),
        ("limit=", "limit"),
        ("limit=1&limit=2", "limit"),
        ("cursor=abc", "cursor"),
        ("cursor=", "cursor"),
        ("cursor=AAAAAAAAAAA", "cursor"),
        ("email=nobody", "email"),
        ("email=a%00@b.co", "email"),
        ("isActive=maybe", "isActive"),
        ("isActive=1", "isActive"),
        ("isActive", "isActive"),
        ("offset=5", "offset"),
        ("ids=", "ids"),
        ("ids=1,abc", "ids"),
        ("ids=0", "ids"),
        ("ids=9223372036854775808", "ids"),
        ("ids=1&limit=5", "ids"),
    ];
    for (query, field) in table {
        let response = app.get(format!("/users?{query}")).await;
        assert_eq!(response.expect_errors(400, "invalid-parameter"), [field], "{query}");
    }
    let many = (1..=1001).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
    let response = app.get(format!("/users?ids={many}")).await;
    assert_eq!(response.expect_errors(400, "invalid-parameter"), ["ids"]);
    let response = app.get("/users?limit=0&isActive=maybe&x=1").await;
    assert_eq!(response.expect_errors(400, "invalid-parameter"), ["limit", "isActive", "x"]);
}

#[tokio::test]
async fn a_condition_that_is_not_a_list_of_entity_tags_is_refused() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    let path = format!("/users/{id}");
    for value in ["1", "\"1", "*, \"1\"", "w/\"1\"", "\"1\" \"2\""] {
        for field in ["if-match", "if-none-match"] {
            for method in [Method::PUT, Method::PATCH, Method::DELETE] {
                let request = app.request(method.clone(), &path).header(field, value);
                let response = request.json(json!({"name": "Al"})).await;
                assert_eq!(response.expect_errors(400, "invalid-parameter"), [field], "{method} {value}");
            }
        }
        for method in [Method::GET, Method::HEAD] {
            let refused = app.request(method.clone(), &path).header("if-match", value).await;
            assert_eq!(refused.status(), 400, "{method} {value}");
            let ignored = app.request(method.clone(), &path).header("if-none-match", value).await;
            assert_eq!(ignored.status(), 200, "the client gets the whole user: {method} {value}");
        }
    }
    assert_eq!(app.get(format!("/users/{id}")).await.json()["version"], 1);
}

#[tokio::test]
async fn routes_without_parameters_refuse_parameters() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    let one = format!("/users/{id}?fields=name");
    let table = [
        (Method::GET, one.as_str()),
        (Method::PATCH, one.as_str()),
        (Method::DELETE, one.as_str()),
        (Method::POST, "/users?fields=name"),
        (Method::POST, "/users/batch?fields=name"),
    ];
    for (method, path) in table {
        let response = app.request(method.clone(), path).json(json!({"name": "Al"})).await;
        assert_eq!(response.expect_errors(400, "invalid-parameter"), ["fields"], "{method} {path}");
    }
    assert_eq!(app.get(format!("/users/{id}")).await.json()["name"], "ada", "nothing was changed");
}

#[tokio::test]
async fn other_methods_are_refused_and_the_allowed_ones_are_named() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    let table = [
        ("/users".to_owned(), "GET,HEAD,POST", vec!["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]),
        ("/users/batch".to_owned(), "POST", vec!["GET", "HEAD", "PUT", "PATCH", "DELETE"]),
        (format!("/users/{id}"), "DELETE,GET,HEAD,PATCH,PUT", vec!["POST", "OPTIONS"]),
    ];
    for (path, allowed, methods) in table {
        for method in methods {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let response = app.request(method.clone(), &path).await;
            let mut allow: Vec<&str> = response.header("allow").split(',').map(str::trim).collect();
            allow.sort_unstable();
            assert_eq!(allow.join(","), allowed, "{method} {path}");
            match method {
                Method::HEAD => assert_eq!(response.status(), 405),
                _ => drop(response.expect_problem(405, "method-not-allowed")),
            }
        }
    }
}

#[tokio::test]
async fn other_paths_are_not_found() {
    let app = App::spawn().await;
    for path in ["/users/1/roles", "/users/", "/users/1/", "/users/batch/1"] {
        app.get(path).await.expect_problem(404, "not-found");
    }
    let problem = app.get("/users/7").await.expect_problem(404, "not-found");
    assert!(problem["detail"].as_str().unwrap().contains('7'), "{problem}");
}
