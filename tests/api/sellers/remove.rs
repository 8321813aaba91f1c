//! DELETE /sellers/:id.

use blackbox::App;
use serde_json::json;

#[tokio::test]
async fn an_archived_seller_is_gone_from_every_route_at_once() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    seller.given(&["verify"]).await;
    let other = app.with_jwt(app.given_user_id("other").await, &["user"]);
    let by_user = format!("/sellers/user/{}", seller.user_id);
    let reads = [
        (&seller.owner, seller.path("")),
        (&seller.admin, seller.path("")),
        (&other, seller.path("")),
        (&seller.owner, by_user.clone()),
        (&seller.admin, by_user),
        (&seller.owner, "/sellers/me".to_owned()),
        (&seller.owner, seller.path("/history")),
        (&seller.admin, seller.path("/history")),
        (&seller.owner, seller.path("/analytics/overview")),
        (&seller.admin, seller.path("/analytics/sales-trend")),
        (&seller.admin, seller.path("/analytics/products")),
        (&seller.admin, seller.path("/analytics/revenue")),
    ];
    let lists = ["/sellers", "/sellers?search=ada", "/sellers?status=pending", "/sellers/pending-verification"];
    for (client, path) in &reads {
        for _ in 0..2 {
            assert_eq!(client.get(path).await.status(), 200, "{path}");
        }
    }
    for path in lists {
        assert_eq!(seller.admin.get(path).await.expect_ok()["total"], 1, "{path}");
    }
    let of_owner = || [other.get(seller.path("/history")), other.get(seller.path("/analytics/overview"))];
    for request in of_owner() {
        request.await.expect_problem(403, "forbidden");
    }

    let deleted = seller.admin.delete(seller.path("")).await;
    assert_eq!((deleted.status(), deleted.text()), (204, ""));
    for _ in 0..2 {
        for (client, path) in &reads {
            client.get(path).await.expect_problem(404, "not-found");
        }
        for path in lists {
            assert_eq!(seller.admin.get(path).await.expect_ok(), json!({"sellers": [], "total": 0}), "{path}");
        }
    }
    for request in [
        seller.admin.delete(seller.path("")),
        seller.owner.patch(seller.path("/profile")).json(json!({"description": "x"})),
        seller.admin.patch(seller.path("")).json(json!({"businessName": "Other"})),
        seller.admin.post(seller.path("/sales")).json(json!({"amount": 1})),
        seller.admin.post(seller.path("/products")).json(json!({"change": 1})),
        seller.admin.post(seller.path("/reviews")).json(json!({"rating": 1})),
        seller.owner.post(seller.path("/verify")),
        seller.admin.post(seller.path("/approve")),
    ] {
        request.await.expect_problem(404, "not-found");
    }
    // Others are not refused what does not exist.
    for request in of_owner() {
        request.await.expect_problem(404, "not-found");
    }
    let rows = app.db().await.query_one("SELECT count(*) FROM sellers", &[]).await.unwrap();
    assert_eq!(rows.get::<_, i64>(0), 1, "it is archived, not deleted");
}

#[tokio::test]
async fn a_seller_with_products_or_sales_is_not_archived() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let products = async |change: i64| {
        seller.admin.post(seller.path("/products")).json(json!({"change": change})).await.expect_ok();
    };
    products(2).await;
    let refused = || seller.admin.delete(seller.path(""));
    refused().await.expect_problem(409, "conflict");
    products(-1).await;
    refused().await.expect_problem(409, "conflict");
    products(-1).await;
    seller.given_sale(json!({"amount": 1})).await;
    let before = seller.show().await;
    refused().await.expect_problem(409, "conflict");
    assert_eq!(seller.show().await, before, "nothing was changed");
    assert_eq!(seller.owner.get("/sellers/me").await.expect_ok(), before);

    // Products that are all gone again are no obstacle.
    let empty = app.given_seller("empty").await;
    for change in [5, -5] {
        let request = empty.admin.post(empty.path("/products")).json(json!({"change": change}));
        request.await.expect_ok();
    }
    assert_eq!(empty.admin.delete(empty.path("")).await.status(), 204);
}

/// A sale and an archival at the same time: the seller is archived without a sale, or has the sale and stays.
#[tokio::test]
async fn no_sale_is_recorded_for_an_archived_seller() {
    const ROUNDS: usize = 20;
    let app = App::spawn().await;
    for round in 0..ROUNDS {
        let seller = app.given_seller(&format!("s{round}")).await;
        let sale = seller.admin.post(seller.path("/sales")).json(json!({"amount": 1}));
        let archival = seller.admin.delete(seller.path(""));
        let (sold, archived) = tokio::join!(sale.into_future(), archival.into_future());
        match (sold.status(), archived.status()) {
            (201, 409) => assert_eq!(seller.show().await["totalSales"], 1),
            (404, 204) => drop(seller.admin.get(seller.path("")).await.expect_problem(404, "not-found")),
            _ => panic!("round {round}: {sold:?} {archived:?}"),
        }
    }
}
