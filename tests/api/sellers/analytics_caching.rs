//! Analytics are cached, and outdated by each sale and each refund.

use blackbox::{App, Seller};
use serde_json::json;

const VIEWS: [&str; 4] = ["overview", "sales-trend", "products", "revenue"];

#[tokio::test]
async fn analytics_are_cached_and_outdated_by_each_sale_and_each_refund() {
    let app = App::spawn().await;
    let (seller, rival) = (app.given_seller("ada").await, app.given_seller("rival").await);
    let paths = |seller: &Seller| VIEWS.map(|view| seller.path(&format!("/analytics/{view}?period=week")));
    let expect_hits = async |seller: &Seller| {
        for path in paths(seller) {
            seller.owner.get(&path).await.expect_ok();
            let (owner, admin) = (seller.owner.get(&path).await, seller.admin.get(&path).await);
            assert!(owner.is_hit() && admin.is_hit(), "{path}: {owner:?} {admin:?}");
            assert_eq!(owner.text(), admin.text());
        }
    };
    expect_hits(&rival).await;
    let expect_sum = async |sum: &str| {
        for path in paths(&seller) {
            let fresh = seller.owner.get(&path).await;
            assert!(!fresh.is_hit(), "{path}: {fresh:?}");
            let found = if sum == "0.00" { !fresh.text().contains("evenue\":1") } else { fresh.text().contains(sum) };
            assert!(found, "{path}: {sum} is not in {fresh:?}");
        }
    };
    for round in 1..=4 {
        expect_hits(&seller).await;
        let sale = seller.given_sale(json!({"amount": 10 * round + 100, "productId": "p", "category": "c"})).await;
        expect_sum(&format!("evenue\":{}.00", 10 * round + 100)).await;
        expect_hits(&seller).await;
        assert_eq!(seller.refund(&sale).await.status(), 200);
        expect_sum("0.00").await;
    }
    for path in paths(&rival) {
        assert!(rival.owner.get(&path).await.is_hit(), "a sale outdates nothing of other sellers: {path}");
    }
}
