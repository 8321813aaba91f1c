//! Events of sellers: one for each route that changes something.

use blackbox::App;
use serde_json::json;

use super::{expect_cloud_event, expect_events, recorded};

/// The events of sellers only: those of users come from users.
async fn of_sellers(app: &App, user_id: i64, seller_id: i64, kinds: &[&'static str]) -> Vec<serde_json::Value> {
    let mut expected = vec![("tumbler.user.created", format!("users/{user_id}"))];
    expected.extend(kinds.iter().map(|kind| (*kind, format!("sellers/{seller_id}"))));
    let mut events = expect_events(app, &expected).await;
    events.retain(|event| event["source"] == "/sellers");
    events
}

#[tokio::test]
async fn each_route_that_changes_a_seller_has_its_event() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let patch = async |path: &str, body| seller.admin.patch(seller.path(path)).json(body).await.expect_ok();
    patch("", json!({"description": "New things."})).await;
    patch("/profile", json!({"website": "https://example.org/new"})).await;
    patch("/banking", json!({"bankName": "Second Bank"})).await;
    seller.given(&["verify", "reject", "verify", "approve", "suspend", "reactivate"]).await;
    let products = async |change: i64| {
        seller.admin.post(seller.path("/products")).json(json!({"change": change})).await.expect_ok();
    };
    products(3).await;
    products(-3).await;
    seller.admin.post(seller.path("/reviews")).json_text("{\"rating\":4.50}").await.expect_success();
    let sale = seller.given_sale(json!({"amount": 12.5})).await;
    seller.refund(&sale).await.expect_ok();
    seller.admin.delete(seller.path("")).await.expect_success();
    let kinds = [
        "tumbler.seller.registered",
        "tumbler.seller.updated",
        "tumbler.seller.updated",
        "tumbler.seller.updated",
        "tumbler.seller.verification-changed",
        "tumbler.seller.verification-changed",
        "tumbler.seller.verification-changed",
        "tumbler.seller.verification-changed",
        "tumbler.seller.status-changed",
        "tumbler.seller.status-changed",
        "tumbler.seller.products-changed",
        "tumbler.seller.products-changed",
        "tumbler.seller.review-added",
        "tumbler.seller.sale-recorded",
        "tumbler.seller.sale-refunded",
        "tumbler.seller.deleted",
    ];
    let events = of_sellers(&app, seller.user_id, seller.id, &kinds).await;
    // Each change has the next version of the row.
    let mut versions: Vec<_> =
        events.iter().map(|event| event["version"].as_i64().unwrap_or_else(|| panic!("{event}"))).collect();
    versions.sort_unstable();
    assert_eq!(versions, (1..=kinds.len() as i64).collect::<Vec<_>>());
    for event in &events {
        expect_cloud_event(event, "/sellers");
        let index = usize::try_from(event["version"].as_i64().unwrap() - 1).unwrap();
        assert_eq!(event["type"], kinds[index], "{event}");
    }
    let row =
        app.db().await.query_one("SELECT version::bigint FROM sellers WHERE id = $1", &[&seller.id]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), kinds.len() as i64);
}

#[tokio::test]
async fn refused_and_repeated_changes_are_no_events() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let again = seller.owner.post("/sellers").json(json!({"businessName": "Again & Co"})).await;
    assert_eq!(again.status(), 409, "{again:?}");
    let other = app.with_jwt(seller.user_id + 1, &["user"]);
    assert_eq!(other.patch(seller.path("")).json(json!({"description": "x"})).await.status(), 403);
    assert_eq!(seller.admin.patch(seller.path("")).json(json!({"description": 1})).await.status(), 422);
    assert_eq!(seller.act("approve").await.status(), 409);
    assert_eq!(seller.act("reactivate").await.status(), 409);
    let stale = seller.admin.patch(seller.path("")).header("if-match", "\"9\"").json(json!({"description": "x"}));
    assert_eq!(stale.await.status(), 412);
    let sell = async |body| {
        let request = seller.admin.post(seller.path("/sales")).header("idempotency-key", "order-1").json(body);
        request.await.status()
    };
    let sale = json!({"amount": 2.5});
    assert_eq!((sell(sale.clone()).await, sell(sale.clone()).await, sell(sale).await), (201, 201, 201));
    assert_eq!(sell(json!({"amount": 3.5})).await, 422);
    let kinds = ["tumbler.seller.registered", "tumbler.seller.sale-recorded"];
    of_sellers(&app, seller.user_id, seller.id, &kinds).await;
}

#[tokio::test]
async fn events_have_no_personal_data() {
    let app = App::spawn().await;
    let seller = app.given_seller("planted").await;
    seller.given(&["verify", "reject"]).await;
    let sale =
        seller.given_sale(json!({"amount": 4321.09, "productId": "planted-product", "category": "planted"})).await;
    seller.refund(&sale).await.expect_ok();
    let kinds = [
        "tumbler.seller.registered",
        "tumbler.seller.verification-changed",
        "tumbler.seller.verification-changed",
        "tumbler.seller.sale-recorded",
        "tumbler.seller.sale-refunded",
    ];
    of_sellers(&app, seller.user_id, seller.id, &kinds).await;
    let text = json!(recorded(&app).await).to_string().to_lowercase();
    for secret in ["planted", "tax-123", "de00123456789", "4321.09", "because of", "springfield", "021000021"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}
