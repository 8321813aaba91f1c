//! Reads of users: seven clients write and read a few users that stay, others that are created and deleted, the list
//! and several ids, with and without If-None-Match, while something breaks. Afterwards [`super::history`] checks every
//! response.

use std::time::Duration;

use blackbox::App;
use fastrand::Rng;

use super::check::{FEW as USERS, check, flush, none, restart_host, restart_redis, run};
use super::workload::User;
use crate::progress::Progress;

#[tokio::test]
async fn no_read_is_stale_without_faults() {
    let outcome = check::<User>(App::spawn().await, USERS, 0, Duration::from_millis(50), none).await;
    assert_eq!(outcome.unanswered, 0);
}

#[tokio::test]
async fn no_read_is_stale_with_an_instance_for_each_request() {
    let app = App::builder().instance_per_request().spawn().await;
    let outcome = check::<User>(app, USERS, 0, Duration::from_millis(50), none).await;
    assert_eq!(outcome.unanswered, 0);
}

#[tokio::test]
async fn no_read_is_stale_when_versions_and_generations_are_evicted() {
    let evict = async |app: &mut App, rng: &mut Rng| {
        let key = match rng.usize(..=USERS) {
            0 if rng.bool() => "users:version".to_owned(),
            0 => "cache:generation:users".to_owned(),
            id => format!("user:version:{id}"),
        };
        app.redis.run(&["DEL", &key]).await;
    };
    let outcome = check::<User>(App::spawn().await, USERS, 150, Duration::from_millis(5), evict).await;
    assert_eq!(outcome.unanswered, 0);
}

#[tokio::test]
async fn no_read_is_stale_when_all_keys_are_deleted() {
    let outcome = check::<User>(App::spawn().await, USERS, 30, Duration::from_millis(40), flush).await;
    assert_eq!(outcome.unanswered, 0);
}

#[tokio::test]
async fn no_read_is_stale_when_redis_is_killed_and_restarted_empty() {
    let outcome = check::<User>(App::spawn().await, USERS, 3, Duration::from_millis(1500), restart_redis).await;
    assert_eq!(outcome.unanswered, 0);
}

#[tokio::test]
async fn no_read_is_stale_when_the_host_is_killed_and_restarted() {
    // More users: a write that is killed keeps its user and the list out of the cache for half a minute.
    let outcome = check::<User>(App::spawn().await, 40, 3, Duration::from_millis(2000), restart_host).await;
    assert!(outcome.unanswered > 0, "no client noticed that the host was killed");
}

/// The control: a stale entry that the test writes into the cache is found.
#[tokio::test]
async fn a_stale_entry_is_found() {
    let mut app = App::spawn().await;
    let progress = Progress::until(&[("reads", 1_000), ("stale entries", 50)]);
    let mut first: Option<String> = None;
    let outcome = run::<User>(&mut app, USERS, &progress, Duration::from_millis(5), async |app: &mut App, _| {
        let Some(stale) = &first else {
            // The first of the users that stay, in its first version.
            let response = app.get("/users/1").await;
            first = (response.status() == 200).then(|| response.text().to_owned());
            return;
        };
        if let Some(version) = app.redis.ask::<Option<u64>>(&["GET", "user:version:1"]).await {
            let entries: Vec<String> = app.redis.ask(&["KEYS", &format!("user:cache:1-v{version}:*")]).await;
            for entry in entries {
                app.redis.run(&["SET", &entry, stale]).await;
                progress.count("stale entries", 1);
            }
        }
    })
    .await;
    assert!(!outcome.history.violations().is_empty(), "the checker finds nothing");
}
