//! POST /sellers/:id/products and /sellers/:id/reviews.

use blackbox::{App, Response, Seller};
use serde_json::{Value, json};

use super::expect_two_decimals;

async fn products(seller: &Seller, change: impl Into<Value>) -> Response {
    seller.admin.post(seller.path("/products")).json(json!({"change": change.into()})).await
}

async fn review(seller: &Seller, rating: &str) -> Response {
    seller.admin.post(seller.path("/reviews")).json_text(format!("{{\"rating\":{rating}}}")).await
}

#[tokio::test]
async fn products_are_added_and_removed_but_never_below_zero() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    for (version, (change, total)) in (2..).zip([(3, 3), (1_000_000, 1_000_003), (-1_000_000, 3), (-2, 1)]) {
        let changed = products(&seller, change).await;
        assert_eq!(changed.expect_ok()["totalProducts"], total);
        assert_eq!(changed.json()["version"], version);
        assert_eq!(seller.show().await, changed.json());
    }
    for change in [-2, -1_000_000] {
        products(&seller, change).await.expect_problem(409, "conflict");
    }
    assert_eq!(seller.show().await["totalProducts"], 1);
    assert_eq!(products(&seller, -1).await.expect_ok()["totalProducts"], 0);
    products(&seller, -1).await.expect_problem(409, "conflict");
    for bad in [json!(0), json!(1_000_001), json!(-1_000_001), json!(1.5), json!("1"), json!(null), json!(1e300)] {
        let response = products(&seller, bad.clone()).await;
        assert_eq!(response.expect_errors(422, "validation"), ["/change"], "{bad}");
    }
    for (body, pointer) in [(json!({}), "/change"), (json!({"change": 1, "total": 5}), "/total"), (json!([1]), "")] {
        let response = seller.admin.post(seller.path("/products")).json(&body).await;
        assert_eq!(response.expect_errors(422, "validation"), [pointer], "{body}");
    }
    assert_eq!(seller.show().await["version"], 6, "what is refused changes nothing");
    for (change, total) in [("2.0", 2), ("1e1", 12), ("-120e-1", 0)] {
        let changed = seller.admin.post(seller.path("/products")).json_text(format!("{{\"change\":{change}}}")).await;
        assert_eq!(changed.expect_ok()["totalProducts"], total, "whole, however it is written: {change}");
    }
}

#[tokio::test]
async fn concurrent_changes_of_products_are_all_counted_and_never_pass_zero() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    products(&seller, 5).await.expect_ok();
    // 20 requests take one each of the 5 that there are.
    let takes = (0..20).map(|_| {
        let seller = seller.clone();
        tokio::spawn(async move { products(&seller, -1).await.status() })
    });
    let mut taken = 0;
    for take in takes.collect::<Vec<_>>() {
        match take.await.unwrap() {
            200 => taken += 1,
            status => assert_eq!(status, 409),
        }
    }
    assert_eq!(taken, 5);
    let found = seller.show().await;
    assert_eq!((&found["totalProducts"], &found["version"]), (&json!(0), &json!(7)));
}

#[tokio::test]
async fn the_rating_is_the_exact_average_of_the_reviews() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let ratings = ["5", "4", "4.5", "1", "3.33", "2.07", "1.00", "4.99", "1e0", "3"];
    let cents = [500, 400, 450, 100, 333, 207, 100, 499, 100, 300];
    for (count, rating) in (1..).zip(ratings) {
        let reviewed = review(&seller, rating).await;
        let sum: i64 = cents[..count as usize].iter().sum();
        // Rounded half up.
        let average = (2 * sum + count) / (2 * count);
        let expected = format!("\"rating\":{}.{:02},", average / 100, average % 100);
        assert!(reviewed.text().contains(&expected), "{expected} after {rating}: {reviewed:?}");
        assert_eq!(reviewed.expect_ok()["totalReviews"], count);
        expect_two_decimals(reviewed.text());
        assert_eq!(seller.show().await, reviewed.json());
    }
}

#[tokio::test]
async fn many_reviews_do_not_add_up_rounding_errors() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    // An average that is rounded after each review and multiplied back would drift away from 1.67.
    for _ in 0..30 {
        for rating in ["1", "2", "2"] {
            assert_eq!(review(&seller, rating).await.status(), 200);
        }
    }
    let found = seller.show().await;
    assert_eq!((&found["rating"], &found["totalReviews"]), (&json!(1.67), &json!(90)));
}

#[tokio::test]
async fn invalid_ratings_are_refused() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    for bad in ["0", "0.99", "5.01", "6", "-1", "3.333", "1e1", "1e300", "\"5\"", "null", "true"] {
        assert_eq!(review(&seller, bad).await.expect_errors(422, "validation"), ["/rating"], "{bad}");
    }
    for (body, pointer) in [(json!({}), "/rating"), (json!({"rating": 1, "text": "x"}), "/text")] {
        let response = seller.admin.post(seller.path("/reviews")).json(&body).await;
        assert_eq!(response.expect_errors(422, "validation"), [pointer], "{body}");
    }
    let found = seller.show().await;
    assert_eq!((&found["rating"], &found["totalReviews"], &found["version"]), (&json!(0.0), &json!(0), &json!(1)));
}

#[tokio::test]
async fn counters_of_a_seller_that_does_not_exist_are_not_found() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    for (path, body) in [("products", json!({"change": 1})), ("reviews", json!({"rating": 1}))] {
        let response = seller.admin.post(format!("/sellers/{}/{path}", seller.id + 1)).json(body).await;
        response.expect_problem(404, "not-found");
    }
}
