//! A value that a client sets is not replaced by one that another has fetched: entries are outdated, several clients
//! read each of them, and all of these try to store what they have fetched when another client sets the key. Afterwards
//! the key has the value that was set.

use std::time::Duration;

use blackbox::{App, Origin, until};
use serde_json::json;
use tokio::task::JoinSet;

use crate::progress::Progress;

/// Few: the origin holds its replies until most readers of all keys have asked for them.
const KEYS: usize = 6;

const READERS: usize = 4;

/// How many values that were fetched are sent to their readers while the keys are set.
const ENOUGH: u64 = 250;

/// Outdates all keys, and leaves their entries in Redis: evicts their versions, or evicts the registry and invalidates
/// the module, which then finds no entries to delete.
async fn outdate(app: &App, round: usize) {
    if round.is_multiple_of(2) {
        evict(app, &(0..KEYS).map(|key| format!("cache:version:kv:get:k{key}")).collect::<Vec<_>>()).await;
    } else {
        evict(app, &["cache:registry:kv:get".to_owned()]).await;
        app.admin().delete("/admin/cache/module/kv").await.expect_ok();
    }
}

async fn evict(app: &App, keys: &[String]) {
    let command: Vec<&str> = std::iter::once("DEL").chain(keys.iter().map(String::as_str)).collect();
    app.redis.run(&command).await;
}

#[tokio::test]
async fn a_value_that_is_set_is_never_replaced_by_one_that_was_fetched_before() {
    let origin = Origin::start().await;
    // As on several machines: the instances share no fetch.
    let app = App::builder().origin(&origin).instance_per_request().spawn().await;
    let progress = Progress::until(&[("fetched values", ENOUGH)]);
    for round in 0.. {
        if !progress.goes_on() {
            break;
        }
        outdate(&app, round).await;
        origin.hold();
        let before = origin.count();
        let mut clients = JoinSet::new();
        for key in (0..KEYS).flat_map(|key| [key; READERS]) {
            let read = app.get(format!("/api/cache/k{key}")).into_future();
            let progress = progress.clone();
            clients.spawn(async move {
                let response = read.await;
                // On a slow machine the others may take so long to ask that the service gives up: it stores nothing.
                if response.status() == 504 {
                    return;
                }
                response.expect_ok();
                progress.count("fetched values", usize::from(!response.is_hit()));
            });
        }
        // Without leases they all fetch.
        until("most readers fetch", async || {
            app.redis.end_leases().await;
            origin.count() >= before + KEYS * (READERS - 1)
        })
        .await;
        for key in 0..KEYS {
            let set = app.put(format!("/api/cache/k{key}")).json(json!(round)).into_future();
            clients.spawn(async move {
                tokio::time::sleep(Duration::from_micros(fastrand::u64(0..100_000))).await;
                set.await.expect_ok();
            });
        }
        origin.release();
        clients.join_all().await;
        for key in 0..KEYS {
            let seen = app.get(format!("/api/cache/k{key}")).await;
            assert!(seen.is_hit() && seen.json()["value"] == round, "k{key}: {round} was set, and is lost: {seen:?}");
        }
    }
    progress.expect_enough();
}
