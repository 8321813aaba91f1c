//! Classes of requests: the default, components, and writes. A request counts in one of them only.

use blackbox::{App, Request, Response};
use reqwest::Method;
use serde_json::json;

use super::{DAY_S, expect_refused, expect_unlimited, far_from_midnight, limit, policy, remaining};

async fn app(default: &str, overrides: &str) -> App {
    far_from_midnight().await;
    App::builder().variable("rate_limit", default).variable("rate_limit_overrides", overrides).spawn().await
}

fn class(response: &Response) -> Option<(String, u64)> {
    assert_eq!(limit(response).map(|limit| limit.0), policy(response).map(|policy| policy.0), "{response:?}");
    policy(response).map(|(class, quota, window)| {
        assert_eq!(window, DAY_S);
        (class, quota)
    })
}

fn some(class: &str, quota: u64) -> Option<(String, u64)> {
    Some((class.to_owned(), quota))
}

#[tokio::test]
async fn the_most_specific_class_with_a_policy_counts() {
    let app = app("50/24h", "users=40/24h, users.write=20/24h, write=30/24h,locks=45/24h").await;
    let table: [(Request, _); 11] = [
        (app.get("/users"), some("users", 40)),
        (app.head("/users/1"), some("users", 40)),
        (app.request(Method::OPTIONS, "/users"), some("users", 40)),
        (app.post("/users").json(json!({})), some("users.write", 20)),
        (app.delete("/users/1"), some("users.write", 20)),
        (app.patch("/users/no/such/route").json(json!({})), some("users.write", 20)),
        (app.get("/api/cache/lock/a"), some("locks", 45)),
        (app.post("/api/cache/lock/acquire").json(json!({})), some("write", 30)),
        (app.put("/api/cache/a").json(json!(1)), some("write", 30)),
        (app.get("/api/cache/a"), some("default", 50)),
        (app.get("/sellers"), some("default", 50)),
    ];
    for (request, expected) in table {
        let name = format!("{request:?}");
        assert_eq!(class(&request.await), expected, "{name}");
    }
}

#[tokio::test]
async fn classes_without_a_policy_are_not_limited() {
    let app = app("", "users.write=2/24h").await;
    for _ in 0..5 {
        expect_unlimited(&app.get("/users").await);
        expect_unlimited(&app.put("/api/cache/a").json(json!(1)).await);
    }
    assert_eq!(class(&app.post("/users").json(json!({})).await), some("users.write", 2));
}

#[tokio::test]
async fn a_used_up_class_leaves_the_others_alone() {
    let app = app("3/24h", "users.write=1/24h").await;
    assert_eq!(app.post("/users").json(json!({})).await.status(), 422);
    expect_refused(&app.post("/users").json(json!({})).await, "users.write");
    assert_eq!(remaining(&app.get("/users").await, "default"), 2);
    assert_eq!(remaining(&app.put("/api/cache/a").json(json!(1)).await, "default"), 1);
    assert_eq!(remaining(&app.get("/api/cache/a").await, "default"), 0);
    expect_refused(&app.get("/users").await, "default");
    expect_refused(&app.post("/users").json(json!({})).await, "users.write");
}

#[tokio::test]
async fn components_share_a_class() {
    let app = app("", "write=4/24h").await;
    let writes = [
        app.post("/users").json(json!({})),
        app.put("/api/cache/a").json(json!(1)),
        app.post("/api/cache/lock/acquire").json(json!({"resource": "a"})),
        app.post("/sellers").json(json!({})),
    ];
    for (left, write) in (0..4).rev().zip(writes) {
        assert_eq!(remaining(&write.await, "write"), left);
    }
    expect_refused(&app.put("/api/cache/a").json(json!(2)).await, "write");
    assert_eq!(app.get("/api/cache/a").await.expect_ok()["value"], 1, "the refused write changed nothing");
}
