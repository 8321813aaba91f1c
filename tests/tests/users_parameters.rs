//! Path parameters, query parameters and conditions that the users service refuses, each with a problem that names them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;

use answer::read;
use blackbox::App;
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn ids() {
    let app = App::spawn().await;
    let body = json!({"name": "Al"});
    for id in
        ["abc", "0", "-1", "9223372036854775808", "1.0", "01", "+1", "%20", "1%00", "1e3", "batches", "%ff", "%zz"]
    {
        let path = format!("/users/{id}");
        for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
            let answer = app.request(method.clone(), &path).json(&body).send().await.unwrap();
            assert_eq!(read(answer).await.expect_errors(400, "invalid-parameter"), ["id"], "{method} {path}");
        }
    }
    let largest = read(app.get("/users/9223372036854775807").await).await;
    largest.expect_problem(404, "not-found");
    let id = app.given_user_id("ada").await;
    assert_eq!(app.get(&format!("/users/%3{id}")).await.status(), 200, "percent-encoding changes nothing");
}

#[tokio::test]
async fn parameters_of_the_list() {
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
        let answer = read(app.list_users(&format!("?{query}")).await).await;
        assert_eq!(answer.expect_errors(400, "invalid-parameter"), [field], "{query}");
    }
    let many = (1..=1001).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
    let answer = read(app.list_users(&format!("?ids={many}")).await).await;
    assert_eq!(answer.expect_errors(400, "invalid-parameter"), ["ids"]);
    let answer = read(app.list_users("?limit=0&isActive=maybe&x=1").await).await;
    assert_eq!(answer.expect_errors(400, "invalid-parameter"), ["limit", "isActive", "x"]);
}

#[tokio::test]
async fn if_match_that_is_not_a_list_of_tags() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    for value in ["1", "\"1", "*, \"1\"", ""] {
        let answer = read(app.put_user_if(id, value, &json!({"name": "Al"})).await).await;
        assert_eq!(answer.expect_errors(400, "invalid-parameter"), ["if-match"], "{value}");
    }
    assert_eq!(read(app.get_user(id).await).await.json()["version"], 1);
}

#[tokio::test]
async fn routes_without_parameters_take_none() {
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
        let answer = app.request(method.clone(), path).json(&json!({"name": "Al"})).send().await.unwrap();
        assert_eq!(read(answer).await.expect_errors(400, "invalid-parameter"), ["fields"], "{method} {path}");
    }
    assert_eq!(read(app.get_user(id).await).await.json()["name"], "ada", "nothing was changed");
}
