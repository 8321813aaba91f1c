//! DELETE below /admin/cache: changes by hand in PostgreSQL are visible, by id and by user.

use blackbox::{Api, App, Seller};
use serde_json::json;

/// Each way to read one seller, each with an entry of its own or shared.
async fn views(app: &App, seller: &Seller) -> Vec<(Api, String)> {
    let other = app.with_jwt(app.given_user_id("other").await, &["user"]);
    vec![
        (seller.owner.clone(), seller.path("")),
        (other, seller.path("")),
        (seller.owner.clone(), "/sellers/me".to_owned()),
        (seller.admin.clone(), format!("/sellers/user/{}", seller.user_id)),
    ]
}

async fn rename_by_hand(app: &App, seller: &Seller, name: &str) {
    let statement = "UPDATE sellers SET business_name = $1 WHERE id = $2";
    assert_eq!(app.db().await.execute(statement, &[&name, &seller.id]).await.unwrap(), 1);
}

#[tokio::test]
async fn a_row_changed_by_hand_is_read_after_the_invalidation() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let mut views = views(&app, &seller).await;
    views.push((seller.owner.clone(), seller.path("/analytics/overview")));
    let by_user = format!("/user/{}", seller.user_id);
    for (round, invalidation) in ["/module/sellers", by_user.as_str(), "", by_user.as_str()].into_iter().enumerate() {
        for (client, path) in &views {
            client.get(path).await;
            assert!(client.get(path).await.is_hit(), "{path}");
        }
        let name = format!("By hand {round}");
        rename_by_hand(&app, &seller, &name).await;
        for (client, path) in &views {
            let cached = client.get(path).await;
            assert!(cached.is_hit() && cached.json()["businessName"] != name, "the cache cannot know yet: {cached:?}");
        }
        let cleared = app.admin().delete(format!("/admin/cache{invalidation}")).await.expect_ok();
        assert!(cleared["invalidated"].as_u64() > Some(0), "{invalidation}: {cleared}");
        for (client, path) in &views {
            let fresh = client.get(path).await;
            assert_eq!(fresh.expect_ok()["businessName"], name, "{path} after {invalidation}");
            assert!(client.get(path).await.is_hit(), "{path}: the new row is cached");
        }
    }
}

#[tokio::test]
async fn lists_are_read_again_after_the_invalidation_of_the_module() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    seller.given(&["verify"]).await;
    let lists = ["/sellers", "/sellers?search=hand&sortBy=businessName", "/sellers/pending-verification"];
    for round in 0..2 {
        for path in lists {
            seller.admin.get(path).await.expect_ok();
        }
        let name = format!("By hand {round}");
        rename_by_hand(&app, &seller, &name).await;
        app.admin().delete("/admin/cache/module/sellers").await.expect_ok();
        for path in lists {
            let page = seller.admin.get(path).await.expect_ok();
            assert_eq!(page["sellers"][0]["businessName"], name, "{path}");
        }
    }
}

#[tokio::test]
async fn the_entries_of_one_user_are_invalidated_alone() {
    let app = App::spawn().await;
    let (ada, bob) = (app.given_seller("ada").await, app.given_seller("bob").await);
    for path in [bob.path(""), "/sellers/me".to_owned()] {
        bob.owner.get(&path).await;
        assert!(bob.owner.get(&path).await.is_hit());
    }
    ada.owner.get("/sellers/me").await;
    app.admin().delete(format!("/admin/cache/user/{}", ada.user_id)).await.expect_ok();
    assert!(!ada.owner.get("/sellers/me").await.is_hit());
    for path in [bob.path(""), "/sellers/me".to_owned()] {
        assert!(bob.owner.get(&path).await.is_hit(), "another user: {path}");
    }
}

/// A user who is no seller: the absence is an entry of this user, too.
#[tokio::test]
async fn a_seller_made_by_hand_is_found_after_the_invalidation_of_its_user() {
    let app = App::spawn().await;
    for (invalidation, user) in [("user", 71), ("module", 72)] {
        let owner = app.with_jwt(user, &["user"]);
        owner.get("/sellers/me").await.expect_problem(404, "not-found");
        let insert = "INSERT INTO sellers (user_id, business_name) VALUES ($1, 'By hand')";
        app.db().await.execute(insert, &[&user]).await.unwrap();
        let absent = owner.get("/sellers/me").await;
        assert!(absent.status() == 404 && absent.is_hit(), "the cache cannot know yet: {absent:?}");
        let path = if invalidation == "user" { format!("/user/{user}") } else { "/module/sellers".into() };
        app.admin().delete(format!("/admin/cache{path}")).await.expect_ok();
        let found = owner.get("/sellers/me").await.expect_ok();
        assert_eq!((&found["businessName"], &found["userId"]), (&json!("By hand"), &json!(user)));
    }
}
