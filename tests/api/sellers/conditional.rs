//! Conditional requests (RFC 9110, section 13): reads without a body, changes that lose no update.

use blackbox::{App, Request};
use serde_json::{Value, json};

#[tokio::test]
async fn a_client_that_knows_the_current_version_gets_no_body() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let other = app.with_jwt(app.given_user_id("other").await, &["user"]);
    let views = [
        (&seller.owner, seller.path("")),
        (&other, seller.path("")),
        (&seller.owner, "/sellers/me".to_owned()),
        (&seller.admin, format!("/sellers/user/{}", seller.user_id)),
        (&seller.admin, "/sellers".to_owned()),
        (&seller.owner, seller.path("/analytics/overview")),
    ];
    for (round, (client, path)) in views.iter().enumerate() {
        let tag = client.get(path).await.header("etag").to_owned();
        assert!(tag.starts_with('"'), "a strong entity tag: {path}: {tag}");
        for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
            let response = client.get(path).header("if-none-match", &known).await;
            assert_eq!((response.status(), response.text()), (304, ""), "{path}: {known}");
            assert_eq!(response.header("etag"), tag);
        }
        assert_eq!(client.head(path).header("if-none-match", &tag).await.status(), 304, "{path}");
        for (if_match, status) in [("\"99\"", 412), (&format!("W/{tag}"), 412), (&tag, 200), ("*", 200)] {
            let response = client.get(path).header("if-match", if_match).await;
            assert_eq!(response.status(), status, "{path}: {if_match}");
        }
        let change = json!({"description": format!("round {round}")});
        seller.owner.patch(seller.path("/profile")).json(change).await.expect_ok();
        let sale = seller.given_sale(json!({"amount": 1})).await;
        let changed = client.get(path).header("if-none-match", &tag).await;
        assert_eq!(changed.status(), 200, "{path} after {sale}");
        assert_ne!(changed.header("etag"), tag, "{path}");
    }
}

#[tokio::test]
async fn changes_with_an_outdated_entity_tag_are_refused() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let outdated = seller.owner.get(seller.path("")).await.header("etag").to_owned();
    seller.owner.patch(seller.path("/profile")).json(json!({"description": "newer"})).await.expect_ok();
    let before = seller.show().await;
    let reason = json!({"reason": "because"});
    let changes: [(&str, Request); 9] = [
        ("profile", seller.owner.patch(seller.path("/profile")).json(json!({"description": "lost"}))),
        ("banking", seller.owner.patch(seller.path("/banking")).json(json!({"bankName": "lost"}))),
        ("patch", seller.admin.patch(seller.path("")).json(json!({"businessName": "lost"}))),
        ("verify", seller.owner.post(seller.path("/verify"))),
        ("approve", seller.admin.post(seller.path("/approve"))),
        ("reject", seller.admin.post(seller.path("/reject")).json(&reason)),
        ("suspend", seller.admin.post(seller.path("/suspend")).json(&reason)),
        ("reactivate", seller.admin.post(seller.path("/reactivate"))),
        ("delete", seller.admin.delete(seller.path(""))),
    ];
    for (name, change) in changes {
        for stale in [outdated.as_str(), "\"99\"", "W/\"2\"", "\"abc\"", ""] {
            let response = change.clone().header("if-match", stale).await;
            let problem = response.expect_problem(412, "precondition-failed");
            assert!(problem["detail"].is_string(), "{name} with {stale}");
        }
        for current in ["\"2\"", "W/\"2\"", "\"7\", \"2\"", "*"] {
            let response = change.clone().header("if-none-match", current).await;
            let problem = response.expect_problem(412, "precondition-failed");
            assert!(problem["detail"].is_string(), "{name} with {current}");
        }
        for field in ["if-match", "if-none-match"] {
            let bad = change.clone().header(field, "not-quoted").await;
            assert_eq!(bad.expect_errors(400, "invalid-parameter"), [field], "{name}");
        }
    }
    assert_eq!(seller.show().await, before, "nothing was changed");
    let history = seller.admin.get(seller.path("/history")).await.expect_ok();
    assert_eq!(history["total"], 1, "{history}");
}

#[tokio::test]
async fn changes_with_the_current_entity_tag_succeed() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let reason = json!({"reason": "because"});
    let changes = [
        seller.owner.patch(seller.path("/profile")).json(json!({"description": "newer"})),
        seller.owner.patch(seller.path("/banking")).json(json!({"bankName": "newer"})),
        seller.admin.patch(seller.path("")).json(json!({"businessName": "newer"})),
        seller.owner.post(seller.path("/verify")),
        seller.admin.post(seller.path("/approve")),
        seller.admin.post(seller.path("/suspend")).json(&reason),
        seller.admin.post(seller.path("/reactivate")),
    ];
    for (version, change) in (2..).zip(changes) {
        let tag = seller.owner.get(seller.path("")).await.header("etag").to_owned();
        let changed = change.header("if-match", &tag).header("if-none-match", "\"99\"").await;
        assert_eq!(changed.expect_ok()["version"], version, "{changed:?}");
        assert_ne!(changed.header("etag"), tag);
        assert_eq!(changed.header("etag"), seller.owner.get(seller.path("")).await.header("etag"));
    }
    let tag = seller.owner.get(seller.path("")).await.header("etag").to_owned();
    assert_eq!(seller.admin.delete(seller.path("")).header("if-match", &tag).await.status(), 204);
    let gone = seller.admin.delete(seller.path("")).header("if-match", &tag).await;
    gone.expect_problem(404, "not-found");
}

/// The target of `POST /sellers` is the list of administrators.
#[tokio::test]
async fn a_registration_is_refused_if_the_list_does_not_fit() {
    let app = App::spawn().await;
    let user = app.with_jwt(app.given_user_id("ada").await, &["user"]);
    let seller = json!({"businessName": "Somebody & Co"});
    for (field, value) in [("if-none-match", "*"), ("if-match", "\"99\"")] {
        let refused = user.post("/sellers").header(field, value).json(&seller).await;
        assert_eq!(refused.expect_errors(412, "precondition-failed"), [field]);
    }
    assert_eq!(user.post("/sellers").header("if-match", "*").json(&seller).await.status(), 201);
}

/// Many clients add 1 to a counter in the description, each with If-Match.
#[tokio::test]
async fn no_update_is_lost_between_clients_that_use_if_match() {
    const CLIENTS: usize = 6;
    const EACH: usize = 10;
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    seller.owner.patch(seller.path("/profile")).json(json!({"description": "0"})).await.expect_ok();
    let clients = (0..CLIENTS).map(|_| {
        let seller = seller.clone();
        tokio::spawn(async move {
            let mut conflicts = 0;
            for _ in 0..EACH {
                loop {
                    let current = seller.owner.get(seller.path("")).await;
                    let count: usize = current.json()["description"].as_str().unwrap().parse().unwrap();
                    let next = json!({"description": format!("{}", count + 1)});
                    let change = seller.owner.patch(seller.path("/profile")).json(&next);
                    match change.header("if-match", current.header("etag")).await.status() {
                        200 => break,
                        412 => conflicts += 1,
                        other => panic!("{other}"),
                    }
                }
            }
            conflicts
        })
    });
    let mut conflicts = 0;
    for client in clients.collect::<Vec<_>>() {
        conflicts += client.await.unwrap();
    }
    let found: Value = seller.show().await;
    assert_eq!(found["description"], format!("{}", CLIENTS * EACH));
    assert_eq!(found["version"], 2 + CLIENTS * EACH);
    assert!(conflicts > 0, "without a conflict this test shows nothing");
}
