//! Bodies that are no JSON, too large or of another shape. Nothing is written.

use blackbox::App;
use serde_json::json;

/// Each route with a body.
fn routes_with_bodies(id: i64) -> Vec<(&'static str, String)> {
    let mut routes = vec![("POST", "/sellers".to_owned())];
    for path in ["/profile", "/banking", ""] {
        routes.push(("PATCH", format!("/sellers/{id}{path}")));
    }
    for path in ["/reject", "/suspend", "/sales", "/products", "/reviews"] {
        routes.push(("POST", format!("/sellers/{id}{path}")));
    }
    routes
}

#[tokio::test]
async fn bodies_that_are_not_json_of_the_right_kind_and_size_are_refused() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let before = seller.show().await;
    for (method, path) in routes_with_bodies(seller.id) {
        let request = || seller.admin.request(method.parse().unwrap(), &path);
        for bad in [&b""[..], b"{", b"{\"reason\": 1,}", b"a=b", b"{} {}", b"{\"reason\": \"\xff\"}", b"{'reason': 1}"]
        {
            request().json_text(bad).await.expect_problem(400, "malformed-json");
        }
        request().json_text("[".repeat(10_000)).await.expect_problem(400, "malformed-json");
        let text = request().header("content-type", "text/plain").body("{}").await;
        assert_eq!(text.expect_errors(415, "unsupported-media-type"), ["content-type"], "{path}");
        let large = request().json_text(format!("{{{}}}", " ".repeat(64 * 1024))).await;
        let limit = large.expect_problem(413, "content-too-large")["limitBytes"].as_u64();
        assert!(limit.is_some_and(|limit| (1024..=64 * 1024).contains(&limit)), "{path}: {large:?}");
        for other in ["[]", "null", "5", "\"x\""] {
            assert_eq!(request().json_text(other).await.expect_errors(422, "validation"), [""], "{path}: {other}");
        }
        let unknown = request().json(json!({"no such member": 1})).await.expect_errors(422, "validation");
        assert!(unknown.contains(&"/no such member".to_owned()), "{path}: {unknown:?}");
        request().json_text("{\"reason\":\"a\",\"reason\":\"b\"}").await.expect_problem(422, "validation");
    }
    assert_eq!(seller.show().await, before, "nothing was changed");
}

#[tokio::test]
async fn all_broken_rules_are_reported_together() {
    let app = App::spawn().await;
    let owner = app.with_jwt(app.given_user_id("ada").await, &["user"]);
    let bad = json!({"businessName": "A", "businessPhone": "1", "taxId": "x", "website": "x", "paymentMethod": "cash"});
    let mut named = owner.post("/sellers").json(&bad).await.expect_errors(422, "validation");
    named.sort();
    assert_eq!(named, ["/businessName", "/businessPhone", "/paymentMethod", "/taxId", "/website"]);
    let missing = owner.post("/sellers").json(json!({})).await;
    assert_eq!(missing.expect_errors(422, "validation"), ["/businessName"]);
    let seller = app.given_seller("bob").await;
    let sale = seller.sell(json!({"amount": -1, "currency": "x", "category": ""})).await;
    let mut named = sale.expect_errors(422, "validation");
    named.sort();
    assert_eq!(named, ["/amount", "/category", "/currency"]);
}
