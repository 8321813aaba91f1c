//! GET and HEAD /sellers/:id, /sellers/user/:userId and /sellers/me.

use blackbox::App;

/// The paths at which the owner reads the seller.
fn paths(id: i64, user_id: i64) -> [String; 3] {
    [format!("/sellers/{id}"), format!("/sellers/user/{user_id}"), "/sellers/me".to_owned()]
}

#[tokio::test]
async fn a_seller_is_read_by_its_id_by_its_user_and_as_me() {
    let app = App::spawn().await;
    let (ada, bob) = (app.given_seller("ada").await, app.given_seller("bob").await);
    for seller in [&ada, &bob] {
        let expected = seller.owner.get(seller.path("")).await;
        assert_eq!(expected.expect_ok()["id"], seller.id);
        for path in paths(seller.id, seller.user_id) {
            let found = seller.owner.get(&path).await;
            assert_eq!((found.status(), found.text()), (200, expected.text()), "{path}");
            assert_eq!(found.header("etag"), expected.header("etag"), "{path}");
        }
        for path in [seller.path(""), format!("/sellers/user/{}", seller.user_id)] {
            let found = seller.admin.get(&path).await;
            assert_eq!((found.status(), found.text()), (200, expected.text()), "{path}");
        }
    }
}

#[tokio::test]
async fn a_user_without_a_seller_and_an_unknown_id_are_not_found() {
    let app = App::spawn().await;
    let ada = app.given_seller("ada").await;
    let bob = app.given_user_id("bob").await;
    let client = app.with_jwt(bob, &["user"]);
    for path in [format!("/sellers/{}", ada.id + 1), format!("/sellers/user/{bob}"), "/sellers/me".to_owned()] {
        client.get(&path).await.expect_problem(404, "not-found");
    }
    ada.admin.get("/sellers/me").await.expect_problem(404, "not-found");
    ada.admin.get("/sellers/user/9223372036854775807").await.expect_problem(404, "not-found");
}

#[tokio::test]
async fn head_returns_the_header_fields_of_get() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let mut reads = paths(seller.id, seller.user_id).map(|path| (seller.owner.clone(), path)).to_vec();
    reads.push((seller.admin.clone(), "/sellers".to_owned()));
    reads.push((seller.admin.clone(), "/sellers/pending-verification".to_owned()));
    reads.push((seller.owner.clone(), seller.path("/history")));
    reads.push((seller.owner.clone(), seller.path("/analytics/overview")));
    for (client, path) in reads {
        let get = client.get(&path).await;
        let head = client.head(&path).await;
        assert_eq!((head.status(), head.text()), (200, ""), "{path}");
        for field in ["content-length", "content-type", "etag", "cache-control"] {
            assert_eq!(head.header(field), get.header(field), "{field} of {path}");
        }
        assert_eq!(head.header("content-length"), get.text().len().to_string(), "{path}");
    }
    let missing = seller.owner.head(format!("/sellers/{}", seller.id + 1)).await;
    assert_eq!((missing.status(), missing.text()), (404, ""));
}
