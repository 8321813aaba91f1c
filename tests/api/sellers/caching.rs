//! The cache of sellers: entries by id and by user, which writes outdate together, and absences.

use blackbox::{Api, App, Seller, of_usual_instance};
use reqwest::Method;
use serde_json::{Value, json};

/// Each way to read one seller.
async fn views(app: &App, seller: &Seller) -> Vec<(Api, String)> {
    let other = app.with_jwt(app.given_user_id("other").await, &["user"]);
    let by_user = format!("/sellers/user/{}", seller.user_id);
    vec![
        (seller.owner.clone(), seller.path("")),
        (other, seller.path("")),
        (seller.owner.clone(), "/sellers/me".to_owned()),
        (seller.admin.clone(), by_user),
    ]
}

#[tokio::test]
async fn the_first_read_is_stored_and_the_second_is_a_hit() {
    let app = App::spawn().await;
    let (ada, bob) = (app.given_seller("ada").await, app.given_seller("bob").await);
    // Nobody has read these: the owner's entry, that of others, and the owner's by the user.
    let by_user = format!("/sellers/user/{}", bob.user_id);
    for (client, path) in [(&ada.owner, ada.path("")), (&bob.owner, ada.path("")), (&bob.admin, by_user)] {
        let miss = client.get(&path).await;
        assert!(miss.is_stored(), "{path}: {miss:?}");
        let hit = client.get(&path).await;
        assert!(hit.is_hit(), "{path}: {hit:?}");
        assert_eq!((hit.text(), hit.header("etag")), (miss.text(), miss.header("etag")));
        assert!((265..=330).contains(&hit.ttl()), "{path}: {hit:?}");
    }
    // The owner and administrators share entries.
    for (client, path) in [(&ada.admin, ada.path("")), (&bob.owner, "/sellers/me".to_owned())] {
        let hit = client.get(&path).await;
        assert!(hit.is_hit(), "{path}: {hit:?}");
    }
}

#[tokio::test]
async fn a_hit_costs_one_command_for_each_key() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    for (client, path) in views(&app, &seller).await {
        for _ in 0..3 {
            client.get(&path).await;
        }
        let mut monitor = app.redis.monitor().await;
        monitor.settle().await;
        for _ in 0..20 {
            assert!(client.get(&path).await.is_hit());
        }
        let commands = monitor.commands().await;
        // Counters are sent after the responses: no client waits for them.
        let reads = of_usual_instance(&commands);
        // By user: first the seller of the user, then its version and the entry.
        let each = if path == seller.path("") { 1 } else { 2 };
        assert!((1..=20 * each + 6).contains(&reads.len()), "{path}: {reads:?}");
        assert!(reads.iter().all(|command| ["MGET", "PTTL"].contains(&command.name.as_str())), "{path}: {reads:?}");
    }
}

#[tokio::test]
async fn every_write_outdates_every_view() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let mut views = views(&app, &seller).await;
    views.push((seller.admin.clone(), "/sellers".to_owned()));
    views.push((seller.admin.clone(), "/sellers?limit=5".to_owned()));
    let overview = seller.path("/analytics/overview");
    let reason = || json!({"reason": "because"});
    let owner = |method, path: &str, body| (&seller.owner, method, seller.path(path), body);
    let admin = |method, path: &str, body| (&seller.admin, method, seller.path(path), body);
    let writes = [
        owner(Method::PATCH, "/profile", Some(json!({"website": "https://new.example.org"}))),
        owner(Method::PATCH, "/banking", Some(json!({"bankName": "Second Bank"}))),
        admin(Method::PATCH, "", Some(json!({"businessName": "Renamed"}))),
        owner(Method::POST, "/verify", None),
        admin(Method::POST, "/reject", Some(reason())),
        owner(Method::POST, "/verify", None),
        admin(Method::POST, "/approve", None),
        admin(Method::POST, "/products", Some(json!({"change": 3}))),
        admin(Method::POST, "/reviews", Some(json!({"rating": 4}))),
        admin(Method::POST, "/sales", Some(json!({"amount": 5}))),
        admin(Method::POST, "/suspend", Some(reason())),
        admin(Method::POST, "/reactivate", None),
    ];
    for (version, (client, method, path, body)) in (2..).zip(writes) {
        for (client, view) in views.iter().chain([&(seller.owner.clone(), overview.clone())]) {
            client.get(view).await.expect_ok();
            // Lists are not cached.
            let again = client.get(view).await;
            assert!(again.is_hit() || view.starts_with("/sellers?") || view == "/sellers", "{view}: {again:?}");
        }
        let mut request = client.request(method.clone(), &path);
        if let Some(body) = &body {
            request = request.json(body);
        }
        request.await.expect_success();
        for (client, view) in &views {
            let seen = client.get(view).await.expect_ok();
            let seen = seen["sellers"].get(0).unwrap_or(&seen);
            assert_eq!(seen["version"], version, "{method} {path}, {view}");
        }
        let (analysed, seen) = (seller.owner.get(&overview).await.expect_ok(), seller.show().await);
        for member in ["businessName", "status", "verificationStatus", "rating", "totalProducts", "totalSales"] {
            assert_eq!(analysed[member], seen[member], "{member} in the overview after {method} {path}");
        }
    }
}

#[tokio::test]
async fn a_write_leaves_the_entries_of_other_sellers() {
    let app = App::spawn().await;
    let (ada, bob) = (app.given_seller("ada").await, app.given_seller("bob").await);
    for path in [bob.path(""), "/sellers/me".to_owned()] {
        bob.owner.get(&path).await;
        ada.owner.patch(ada.path("/profile")).json(json!({"description": path})).await.expect_ok();
        ada.given_sale(json!({"amount": 1})).await;
        assert!(bob.owner.get(&path).await.is_hit(), "{path}");
    }
}

#[tokio::test]
async fn the_absence_of_a_seller_is_cached_until_the_registration() {
    let app = App::builder().log_statements().spawn().await;
    let before = app.given_seller("ada").await;
    let user = app.given_user_id("bob").await;
    let (owner, other) = (app.with_jwt(user, &["user"]), before.owner.clone());
    let absent = [
        (&owner, "/sellers/me".to_owned()),
        (&before.admin, format!("/sellers/user/{user}")),
        (&other, format!("/sellers/{}", before.id + 1)),
        (&before.admin, format!("/sellers/{}", before.id + 1)),
    ];
    for (client, path) in &absent {
        client.get(path).await.expect_problem(404, "not-found");
        let statements = app.database.statements().len();
        let second = client.get(path).await;
        second.expect_problem(404, "not-found");
        assert!(second.is_hit(), "{path}: {second:?}");
        assert!(second.ttl() <= 33, "a short TTL: {second:?}");
        assert_eq!(app.database.statements().len(), statements, "{path}: the database is not queried again");
    }
    let registered = app.given_seller_of("bob", user).await;
    assert_eq!(registered.id, before.id + 1, "ids are not skipped without a failed statement");
    for (client, path) in &absent {
        let found: Value = client.get(path).await.expect_ok();
        assert_eq!(found["id"], registered.id, "{path}");
    }
}

#[tokio::test]
async fn evicted_entries_are_stored_again() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    for (client, path) in views(&app, &seller).await {
        client.get(&path).await;
        app.redis.run(&["FLUSHALL"]).await;
        assert!(!client.get(&path).await.is_hit(), "{path}");
        assert!(client.get(&path).await.is_hit(), "{path}");
    }
}

#[tokio::test]
async fn the_cache_works_with_an_instance_for_each_request() {
    let app = App::builder().instance_per_request().spawn().await;
    let seller = app.given_seller("ada").await;
    for version in 2..6 {
        let changed = seller.owner.patch(seller.path("/profile")).json(json!({"description": format!("{version}")}));
        let changed = changed.await;
        assert_eq!(changed.expect_ok()["version"], version);
        let after = seller.owner.get(seller.path("")).await;
        assert_eq!((after.is_hit(), after.text()), (false, changed.text()));
        for path in [seller.path(""), "/sellers/me".to_owned()] {
            assert_eq!(seller.owner.get(&path).await.text(), changed.text(), "{path}");
            let hit = seller.owner.get(&path).await;
            assert_eq!((hit.is_hit(), hit.text()), (true, changed.text()), "{path}");
        }
    }
}
