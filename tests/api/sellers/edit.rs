//! PATCH /sellers/:id/profile, /sellers/:id/banking and /sellers/:id.

use blackbox::{App, Response, Seller};
use serde_json::{Value, json};

use super::expect_two_decimals;

const PROFILE: [&str; 5] = ["logoUrl", "description", "website", "businessEmail", "businessPhone"];
const BANKING: [&str; 5] = ["bankName", "bankAccountHolder", "bankAccountNumber", "bankRoutingNumber", "paymentMethod"];

/// New values for all members that can be changed.
fn new_values() -> Value {
    json!({
        "businessName": "New name", "businessType": "partnership", "businessEmail": "new@example.org",
        "businessPhone": "(030) 99-1", "taxId": "NEW-1", "businessAddress": "2 New Street", "businessCity": "Newton",
        "businessState": "New York", "businessCountry": "NL", "businessPostalCode": "NW1 6XE",
        "logoUrl": "https://new.example.org/logo.svg", "website": "https://new.example.org",
        "description": "New\nand\tbetter", "bankName": "New Bank", "bankAccountHolder": "N Holder",
        "bankAccountNumber": "NL99NEW0123456789", "bankRoutingNumber": "999", "paymentMethod": "check",
        "commissionRate": 12.34,
    })
}

/// Some of [`new_values`].
fn only(members: &[&str]) -> Value {
    let values = new_values();
    members
        .iter()
        .map(|member| ((*member).to_owned(), values[member].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// Asserts that `response` is `before` with these changes and the next version, and that reads see it.
async fn expect_changed(seller: &Seller, before: &Value, changes: &Value, response: &Response) {
    let changed = response.expect_ok();
    let mut expected = before.clone();
    for (member, value) in changes.as_object().unwrap() {
        expected[member] = value.clone();
    }
    expected["version"] = json!(before["version"].as_i64().unwrap() + 1);
    assert!(changed["updatedAt"].as_str() >= before["updatedAt"].as_str());
    expected["updatedAt"] = changed["updatedAt"].clone();
    assert_eq!(changed, expected, "{changes}");
    expect_two_decimals(response.text());
    for path in [seller.path(""), "/sellers/me".to_owned()] {
        assert_eq!(seller.owner.get(&path).await.text(), response.text(), "{path} sees it at once");
    }
}

#[tokio::test]
async fn the_owner_and_administrators_change_profile_and_banking() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    for (path, members) in [("/profile", PROFILE), ("/banking", BANKING)] {
        for member in members {
            let before = seller.show().await;
            let changes = only(&[member]);
            let response = seller.owner.patch(seller.path(path)).json(&changes).await;
            expect_changed(&seller, &before, &changes, &response).await;
        }
        let before = seller.show().await;
        let changes = only(&members);
        let response = seller.admin.patch(seller.path(path)).json(&changes).await;
        expect_changed(&seller, &before, &changes, &response).await;
    }
}

#[tokio::test]
async fn an_administrator_changes_all_members() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let values = new_values();
    for member in values.as_object().unwrap().keys() {
        let before = seller.show().await;
        let changes = only(&[member]);
        let response = seller.admin.patch(seller.path("")).json(&changes).await;
        expect_changed(&seller, &before, &changes, &response).await;
    }
    let before = seller.show().await;
    let response = seller.admin.patch(seller.path("")).json(&values).await;
    expect_changed(&seller, &before, &values, &response).await;
}

#[tokio::test]
async fn members_of_another_route_are_refused() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let before = seller.show().await;
    let values = new_values();
    for member in values.as_object().unwrap().keys() {
        for (path, members) in [("/profile", PROFILE), ("/banking", BANKING)] {
            if !members.contains(&member.as_str()) {
                for client in [&seller.owner, &seller.admin] {
                    let response = client.patch(seller.path(path)).json(only(&[member])).await;
                    let pointer = format!("/{member}");
                    assert_eq!(response.expect_errors(422, "validation"), [pointer], "{path}");
                }
            }
        }
    }
    for (member, value) in [
        ("userId", json!(1)),
        ("id", json!(1)),
        ("status", json!("active")),
        ("verificationStatus", json!("verified")),
        ("rating", json!(5)),
        ("totalReviews", json!(1)),
        ("totalProducts", json!(1)),
        ("totalSales", json!(1)),
        ("totalRevenue", json!(1)),
        ("currency", json!("EUR")),
        ("verifiedAt", json!(null)),
        ("verifiedBy", json!(1)),
        ("rejectionReason", json!(null)),
        ("suspensionReason", json!(null)),
        ("createdAt", json!("2026-01-01T00:00:00Z")),
        ("version", json!(9)),
    ] {
        let body: Value = [(member.to_owned(), value)].into_iter().collect::<serde_json::Map<_, _>>().into();
        for path in ["", "/profile", "/banking"] {
            let response = seller.admin.patch(seller.path(path)).json(&body).await;
            assert_eq!(response.expect_errors(422, "validation"), [format!("/{member}")], "{path}");
        }
    }
    assert_eq!(seller.show().await, before, "nothing was changed");
}

#[tokio::test]
async fn null_removes_an_optional_text_member_and_no_other() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let required = ["businessName", "businessType", "paymentMethod", "commissionRate"];
    for member in new_values().as_object().unwrap().keys() {
        let body: Value = [(member.clone(), Value::Null)].into_iter().collect::<serde_json::Map<_, _>>().into();
        let routes: Vec<&str> =
            [("", true), ("/profile", PROFILE.contains(&&**member)), ("/banking", BANKING.contains(&&**member))]
                .into_iter()
                .filter(|(_, has)| *has)
                .map(|(path, _)| path)
                .collect();
        for path in routes {
            seller.admin.patch(seller.path("")).json(only(&[member])).await.expect_ok();
            let before = seller.show().await;
            let response = seller.admin.patch(seller.path(path)).json(&body).await;
            if required.contains(&member.as_str()) {
                assert_eq!(response.expect_errors(422, "validation"), [format!("/{member}")], "{path}");
                assert_eq!(seller.show().await, before);
            } else {
                expect_changed(&seller, &before, &body, &response).await;
            }
        }
    }
}

#[tokio::test]
async fn a_patch_without_members_is_refused() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    for path in ["", "/profile", "/banking"] {
        for body in [json!({}), json!([]), json!(null), json!("x")] {
            let response = seller.admin.patch(seller.path(path)).json(&body).await;
            assert_eq!(response.expect_errors(422, "validation"), [""], "{path}: {body}");
        }
    }
    assert_eq!(seller.show().await["version"], 1);
}

#[tokio::test]
async fn profile_and_banking_cannot_be_changed_while_the_seller_is_suspended() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    seller.given(&["verify", "approve", "suspend"]).await;
    let before = seller.show().await;
    let changes = [("/profile", json!({"description": "x"})), ("/banking", json!({"bankName": "x"}))];
    for (path, body) in &changes {
        for client in [&seller.owner, &seller.admin] {
            client.patch(seller.path(path)).json(body).await.expect_problem(409, "conflict");
        }
        // What is wrong with the request is still said first.
        let bad = seller.owner.patch(seller.path(path)).json(json!({"x": 1})).await;
        assert_eq!(bad.expect_errors(422, "validation"), ["/x"]);
    }
    assert_eq!(seller.show().await, before);
    seller.given(&["reactivate"]).await;
    for (path, body) in &changes {
        assert_eq!(seller.owner.patch(seller.path(path)).json(body).await.status(), 200, "{path}");
    }
}

#[tokio::test]
async fn a_seller_that_does_not_exist_cannot_be_changed() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    seller.admin.delete(seller.path("")).await.expect_success();
    for id in [seller.id, seller.id + 1, i64::MAX] {
        for (path, body) in [
            ("/profile", json!({"description": "x"})),
            ("/banking", json!({"bankName": "x"})),
            ("", json!({"businessName": "Other"})),
        ] {
            let response = seller.admin.patch(format!("/sellers/{id}{path}")).json(body).await;
            response.expect_problem(404, "not-found");
        }
    }
}

/// Writers of different members at the same time: each change is there in the end, and each has a version of its own.
#[tokio::test]
async fn concurrent_changes_of_different_members_are_all_kept() {
    const ROUNDS: usize = 20;
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    for round in 0..ROUNDS {
        let value = format!("round {round}");
        let profile = seller.owner.patch(seller.path("/profile")).json(json!({"description": value}));
        let banking = seller.owner.patch(seller.path("/banking")).json(json!({"bankName": value}));
        let admin = seller.admin.patch(seller.path("")).json(json!({"businessCity": value}));
        let sale = seller.admin.post(seller.path("/sales")).json(json!({"amount": 1}));
        let all = tokio::join!(profile.into_future(), banking.into_future(), admin.into_future(), sale.into_future());
        let mut versions: Vec<i64> =
            [&all.0, &all.1, &all.2].iter().map(|changed| changed.expect_ok()["version"].as_i64().unwrap()).collect();
        versions.sort_unstable();
        versions.dedup();
        assert_eq!((versions.len(), all.3.status()), (3, 201), "{all:?}");
        let seen = seller.show().await;
        for member in ["description", "bankName", "businessCity"] {
            assert_eq!(seen[member], value, "{member}");
        }
        assert_eq!(seen["totalSales"], round + 1);
        assert_eq!(seen["version"], 1 + 4 * (round + 1));
    }
}

/// A verification is about these members: they can be changed, and not removed, until it is rejected.
#[tokio::test]
async fn members_that_the_verification_needs_stay() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let removal = || seller.owner.patch(seller.path("/profile")).json(json!({"businessEmail": null}));
    for action in ["verify", "approve"] {
        seller.given(&[action]).await;
        removal().await.expect_problem(409, "conflict");
        let by_admin = seller.admin.patch(seller.path("")).json(json!({"businessCity": null}));
        by_admin.await.expect_problem(409, "conflict");
    }
    let change = seller.owner.patch(seller.path("/profile")).json(json!({"businessEmail": "a@b.co", "website": null}));
    assert_eq!(change.await.expect_ok()["website"], json!(null));
    let rejected = app.given_seller("rejected").await;
    rejected.given(&["verify", "reject"]).await;
    let removal = rejected.owner.patch(rejected.path("/profile")).json(json!({"businessEmail": null}));
    assert_eq!(removal.await.expect_ok()["businessEmail"], json!(null));
}

/// Each sale adds to the version, so 32 bits would not be enough.
#[tokio::test]
async fn versions_are_larger_than_32_bits() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let version = i64::from(i32::MAX);
    app.db().await.execute("UPDATE sellers SET version = $1", &[&version]).await.unwrap();
    let change = || seller.owner.patch(seller.path("/profile")).json(json!({"description": "x"}));
    assert_eq!(change().await.expect_ok()["version"], version + 1);
    let changed = change().header("if-match", format!("\"{}\"", version + 1)).await;
    assert_eq!((changed.status(), changed.header("etag")), (200, format!("\"{}\"", version + 2).as_str()));
}
