//! Grace: while PostgreSQL is down, users whose TTL has ended are returned, unless they may have changed.

use blackbox::{App, until};
use serde_json::json;

/// An application whose users live for a second and have an hour of grace.
async fn app() -> App {
    let app = App::builder().private_postgres().variable("cache_ttl_user", "1").variable("cache_ttl_users_list", "1");
    app.variable("cache_grace_s", "3600").spawn().await
}

#[tokio::test]
async fn users_whose_ttl_has_ended_are_returned_while_postgres_is_down() {
    let mut app = app().await;
    let id = app.given_user_id("ada").await;
    let paths = [format!("/users/{id}"), "/users".to_owned(), format!("/users?ids={id}")];
    for path in &paths {
        app.get(path).await.expect_ok();
    }
    app.postgres().stop().await.unwrap();
    for path in &paths[..2] {
        until("the TTL has ended", async || app.get(path).await.is_graced()).await;
    }
    let batch = app.get(&paths[2]).await;
    assert_eq!(batch.expect_ok()[0]["name"], "ada");
    assert_eq!(app.get(&paths[0]).await.expect_ok()["name"], "ada");
    let etag = app.get(&paths[0]).await.header("etag").to_owned();
    assert_eq!(app.get(&paths[0]).header("if-none-match", etag).await.status(), 304);
    app.get(format!("/users/{}", id + 1)).await.expect_unavailable();
    assert!(app.admin().get("/admin/cache/stats").await.expect_ok()["totals"]["graced"].as_u64() > Some(0));

    app.postgres().restart().await.unwrap();
    until("PostgreSQL is read again", async || app.get(&paths[0]).await.is_stored()).await;
}

#[tokio::test]
async fn what_may_have_changed_during_the_outage_is_not_returned() {
    let mut app = app().await;
    let (changed, invalidated) = (app.given_user_id("ada").await, app.given_user_id("bob").await);
    let paths = [changed, invalidated].map(|id| format!("/users/{id}"));
    for path in &paths {
        app.get(path).await.expect_ok();
    }
    app.postgres().stop().await.unwrap();
    for path in &paths {
        until("the TTL has ended", async || app.get(path).await.is_graced()).await;
    }
    // The service cannot know whether a write that failed has changed anything.
    app.put(&paths[0]).json(json!({"name": "Al"})).await.expect_unavailable();
    app.get(&paths[0]).await.expect_unavailable();
    assert!(app.get(&paths[1]).await.is_graced(), "another user");
    app.admin().delete(format!("/admin/cache/user/{invalidated}")).await.expect_success();
    app.get(&paths[1]).await.expect_unavailable();
}

#[tokio::test]
async fn without_the_setting_nothing_is_returned_beyond_its_ttl() {
    let mut app = App::builder().private_postgres().variable("cache_ttl_user", "1").spawn().await;
    let id = app.given_user_id("ada").await;
    app.get(format!("/users/{id}")).await.expect_ok();
    app.postgres().stop().await.unwrap();
    until("the TTL has ended", async || app.get(format!("/users/{id}")).await.status() == 503).await;
}
