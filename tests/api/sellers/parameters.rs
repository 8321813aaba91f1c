//! Paths, parameters and methods that the sellers service refuses. Each response names what is wrong.

use blackbox::App;
use reqwest::Method;
use serde_json::json;

const BAD_IDS: [&str; 14] =
    ["abc", "0", "-1", "9223372036854775808", "1.0", "01", "+1", "%20", "1%00", "1e3", "ME", "null", "%ff", "1,2"];

#[tokio::test]
async fn an_invalid_id_is_refused() {
    let app = App::spawn().await;
    let admin = app.as_admin();
    let table = [
        (Method::GET, "", json!({})),
        (Method::PATCH, "", json!({"businessName": "Other"})),
        (Method::DELETE, "", json!({})),
        (Method::PATCH, "/profile", json!({"description": "x"})),
        (Method::PATCH, "/banking", json!({"bankName": "x"})),
        (Method::POST, "/verify", json!({})),
        (Method::POST, "/approve", json!({})),
        (Method::POST, "/reject", json!({"reason": "x"})),
        (Method::POST, "/suspend", json!({"reason": "x"})),
        (Method::POST, "/reactivate", json!({})),
        (Method::GET, "/history", json!({})),
        (Method::POST, "/sales", json!({"amount": 1})),
        (Method::POST, "/sales/1/refund", json!({})),
        (Method::POST, "/products", json!({"change": 1})),
        (Method::POST, "/reviews", json!({"rating": 1})),
        (Method::GET, "/analytics/overview", json!({})),
        (Method::GET, "/analytics/sales-trend", json!({})),
        (Method::GET, "/analytics/products", json!({})),
        (Method::GET, "/analytics/revenue", json!({})),
    ];
    for id in BAD_IDS {
        for (method, path, body) in &table {
            let mut request = admin.request(method.clone(), format!("/sellers/{id}{path}"));
            if body != &json!({}) {
                request = request.json(body);
            }
            let response = request.await;
            assert_eq!(response.expect_errors(400, "invalid-parameter"), ["id"], "{method} {id}{path}");
        }
        let by_user = admin.get(format!("/sellers/user/{id}")).await;
        assert_eq!(by_user.expect_errors(400, "invalid-parameter"), ["userId"], "{id}");
    }
    admin.get("/sellers/9223372036854775807").await.expect_problem(404, "not-found");
}

#[tokio::test]
async fn invalid_parameters_of_the_list_are_refused() {
    let app = App::spawn().await;
    let admin = app.as_admin();
    let table = [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=1.5", "limit"),
        ("limit=-1", "limit"),
        ("limit=", "limit"),
        ("limit=1e1", "limit"),
        ("limit=1&limit=2", "limit"),
        ("offset=-1", "offset"),
        ("offset=1.5", "offset"),
        ("offset=1000000001", "offset"),
        ("offset=99999999999999999999", "offset"),
        ("status=", "status"),
        ("status=verified", "status"),
        ("status=Active", "status"),
        ("verificationStatus=active", "verificationStatus"),
        ("minRating=-0.01", "minRating"),
        ("minRating=5.01", "minRating"),
        ("minRating=4.999", "minRating"),
        ("minRating=abc", "minRating"),
        ("minRating=NaN", "minRating"),
        ("minRating=", "minRating"),
        ("minRating=%2B1", "minRating"),
        ("search=", "search"),
        ("search=a%00b", "search"),
        ("sortBy=id", "sortBy"),
        ("sortBy=bankAccountNumber", "sortBy"),
        ("sortBy=createdAt;drop", "sortBy"),
        ("sortBy=", "sortBy"),
        ("sortOrder=DESC", "sortOrder"),
        ("sortOrder=up", "sortOrder"),
        ("include=users", "include"),
        ("include=", "include"),
        ("cursor=abc", "cursor"),
        ("userId=1", "userId"),
    ];
    for (query, field) in table {
        println!("{query}");
        let response = admin.get(format!("/sellers?{query}")).await;
        assert_eq!(response.expect_errors(400, "invalid-parameter"), [field], "{query}");
    }
    for long in ["x".repeat(256), "%C3%A9".repeat(256)] {
        let response = admin.get(format!("/sellers?search={long}")).await;
        assert_eq!(response.expect_errors(400, "invalid-parameter"), ["search"]);
    }
    assert_eq!(admin.get(format!("/sellers?search={}", "%C3%A9".repeat(255))).await.status(), 200);
    let mut named = admin.get("/sellers?limit=0&status=x&y=1").await.expect_errors(400, "invalid-parameter");
    named.sort();
    assert_eq!(named, ["limit", "status", "y"], "all at once");
}

#[tokio::test]
async fn routes_without_parameters_refuse_parameters() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let before = seller.show().await;
    let table = [
        (Method::GET, "", None),
        (Method::PATCH, "", Some(json!({"businessName": "Other"}))),
        (Method::DELETE, "", None),
        (Method::PATCH, "/profile", Some(json!({"description": "x"}))),
        (Method::PATCH, "/banking", Some(json!({"bankName": "x"}))),
        (Method::POST, "/verify", None),
        (Method::POST, "/approve", None),
        (Method::POST, "/suspend", Some(json!({"reason": "x"}))),
        (Method::POST, "/sales", Some(json!({"amount": 1}))),
        (Method::POST, "/products", Some(json!({"change": 1}))),
        (Method::POST, "/reviews", Some(json!({"rating": 1}))),
    ];
    for (method, path, body) in table {
        let mut request = if path == "/verify" { &seller.owner } else { &seller.admin }
            .request(method.clone(), seller.path(&format!("{path}?dryRun=true")));
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.await;
        assert_eq!(response.expect_errors(400, "invalid-parameter"), ["dryRun"], "{method} {path}");
    }
    for path in ["/sellers/me", "/sellers/health", &format!("/sellers/user/{}", seller.user_id)] {
        let response = seller.admin.get(format!("{path}?fields=id")).await;
        assert_eq!(response.expect_errors(400, "invalid-parameter"), ["fields"], "{path}");
    }
    assert_eq!(seller.show().await, before, "nothing was changed");
}

#[tokio::test]
async fn other_methods_are_refused_and_the_allowed_ones_are_named() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let id = seller.id;
    let table = [
        ("/sellers".to_owned(), "GET,HEAD,POST", vec!["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]),
        ("/sellers/me".to_owned(), "GET,HEAD", vec!["POST", "PUT", "PATCH", "DELETE"]),
        ("/sellers/health".to_owned(), "GET,HEAD", vec!["POST", "DELETE"]),
        ("/sellers/pending-verification".to_owned(), "GET,HEAD", vec!["POST", "DELETE"]),
        (format!("/sellers/user/{}", seller.user_id), "GET,HEAD", vec!["POST", "DELETE"]),
        (format!("/sellers/{id}"), "DELETE,GET,HEAD,PATCH", vec!["POST", "PUT", "OPTIONS"]),
        (format!("/sellers/{id}/profile"), "PATCH", vec!["GET", "HEAD", "POST", "PUT", "DELETE"]),
        (format!("/sellers/{id}/verify"), "POST", vec!["GET", "PUT", "PATCH", "DELETE"]),
        (format!("/sellers/{id}/history"), "GET,HEAD", vec!["POST", "DELETE"]),
        (format!("/sellers/{id}/sales"), "POST", vec!["GET", "PUT", "DELETE"]),
        (format!("/sellers/{id}/analytics/overview"), "GET,HEAD", vec!["POST"]),
    ];
    for (path, allowed, methods) in table {
        for method in methods {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let response = seller.admin.request(method.clone(), &path).await;
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
    let seller = app.given_seller("ada").await;
    for path in ["/roles", "/", "/analytics", "/analytics/views", "/analytics/overview/1", "/sales/1", "/profile/1"] {
        seller.admin.get(seller.path(path)).await.expect_problem(404, "not-found");
    }
    for path in ["/sellers/", "/sellers/user", "/sellers/user/", "/sellers/me/profile"] {
        let status = seller.admin.get(path).await.status();
        assert!([400, 404, 405].contains(&status), "{path}: {status}");
    }
}
