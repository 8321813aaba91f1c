//! The harness itself: the assumptions of all other tests.

use blackbox::{App, until};

#[tokio::test]
async fn two_applications_share_nothing() {
    let (one, other) = tokio::join!(App::spawn(), App::spawn());
    let id = one.given_user_id("ada").await;
    assert_eq!(one.get(format!("/users/{id}")).await.status(), 200);
    assert_eq!(other.get(format!("/users/{id}")).await.status(), 404);
    assert!(one.redis.keys().await.iter().any(|key| key.starts_with("user:version:")));
    assert_ne!(one.redis.url(), other.redis.url());
    let users = "SELECT count(*) FROM users";
    assert_eq!(one.db().await.query_one(users, &[]).await.unwrap().get::<_, i64>(0), 1);
    assert_eq!(other.db().await.query_one(users, &[]).await.unwrap().get::<_, i64>(0), 0);
}

#[tokio::test]
async fn commands_and_statements_are_seen() {
    let mut app = App::builder().log_statements().spawn().await;
    let id = app.given_user_id("ada").await;
    let mut monitor = app.redis.monitor().await;
    let statements = app.database.statements().len();
    assert!(statements > 0, "the INSERT was not logged");

    app.db().await.query("SELECT 'not the application'", &[]).await.unwrap();
    assert_eq!(app.database.statements().len(), statements, "the test's own statement was counted");

    assert_eq!(app.get(format!("/users/{id}")).await.status(), 200);
    let commands = monitor.commands().await;
    assert!(commands.iter().any(|command| command.args.contains(&format!("user:version:{id}"))), "{commands:?}");
    assert!(app.database.statements().len() > statements, "the SELECT was not logged");

    // Only a killed host sends no more commands: the cache sends some after its responses.
    app.kill_host().await;
    monitor.clear().await;
    assert_eq!(monitor.commands().await, []);
}

#[tokio::test]
async fn a_restarted_host_has_the_same_port_and_the_same_stores() {
    let mut app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    let before = app.host.id();
    app.kill_host().await;
    assert!(app.get("/users").send().await.is_err(), "a killed host responses");
    app.restart_host().await;
    assert_ne!(app.host.id(), before);
    assert_eq!(app.get(format!("/users/{id}")).await.status(), 200);
}

#[tokio::test]
async fn a_second_host_shares_the_stores_and_does_not_need_the_first() {
    let mut app = App::spawn().await;
    let (mut host, api) = app.second_host().await;
    assert_ne!(host.url(), app.host.url());
    let id = app.given_user_id("ada").await;
    assert_eq!(api.get(format!("/users/{id}")).await.status(), 200);
    app.kill_host().await;
    assert_eq!(api.get(format!("/users/{id}")).await.status(), 200);
    app.restart_host().await;
    host.kill().await;
    assert_eq!(app.get(format!("/users/{id}")).await.status(), 200);
}

#[tokio::test]
async fn a_private_postgres_can_be_killed_and_restarted() {
    let mut app = App::builder().private_postgres().variable("cache_enabled", "false").spawn().await;
    let id = app.given_user_id("ada").await;
    app.postgres().kill().await.unwrap();
    assert_eq!(app.get(format!("/users/{id}")).await.status(), 503);
    app.postgres().restart().await.unwrap();
    // Pooled connections of the old server may have to fail first.
    until("PostgreSQL is used again", async || app.get(format!("/users/{id}")).await.status() == 200).await;
}
