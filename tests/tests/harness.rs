//! The harness itself: what other tests take for granted.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use blackbox::App;

#[tokio::test]
async fn two_applications_share_nothing() {
    let (one, other) = tokio::join!(App::spawn(), App::spawn());
    let id = one.given_user_id("ada").await;
    assert_eq!(one.get_user(id).await.status(), 200);
    assert_eq!(other.get_user(id).await.status(), 404);
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

    assert_eq!(app.get_user(id).await.status(), 200);
    let commands = monitor.commands().await;
    assert!(commands.iter().any(|command| command.args.contains(&format!("user:version:{id}"))), "{commands:?}");
    assert!(app.database.statements().len() > statements, "the SELECT was not logged");

    // Only a host that runs no more sends nothing more: the cache keeps its books after the answer.
    app.kill_host().await;
    monitor.clear().await;
    assert_eq!(monitor.commands().await, []);
}

#[tokio::test]
async fn a_host_comes_back_on_its_port_and_keeps_nothing() {
    let mut app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    let before = app.host.id();
    app.kill_host().await;
    assert!(app.http().get(app.url("/users")).send().await.is_err(), "a killed host answers");
    app.restart_host().await;
    assert_ne!(app.host.id(), before);
    assert_eq!(app.get_user(id).await.status(), 200);
}

#[tokio::test]
async fn a_second_host_shares_the_stores_and_outlives_the_first() {
    let mut app = App::spawn().await;
    let (mut host, api) = app.second_host().await;
    assert_ne!(host.url(), app.host.url());
    let id = app.given_user_id("ada").await;
    assert_eq!(api.get_user(id).await.status(), 200);
    app.kill_host().await;
    assert_eq!(api.get_user(id).await.status(), 200);
    app.restart_host().await;
    host.kill().await;
    assert_eq!(app.get_user(id).await.status(), 200);
}

#[tokio::test]
async fn a_private_postgres_may_be_broken() {
    let mut app = App::builder().private_postgres().variable("cache_enabled", "false").spawn().await;
    let id = app.given_user_id("ada").await;
    app.postgres().kill().await.unwrap();
    assert_eq!(app.get_user(id).await.status(), 503);
    app.postgres().restart().await.unwrap();
    // Pooled connections of the old server may have to fail first.
    for attempt in 0.. {
        let status = app.get_user(id).await.status();
        if status == 200 {
            break;
        }
        assert!(attempt < 100, "{status}, long after PostgreSQL came back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
