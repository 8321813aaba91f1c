//! A value that was set is never lost to one that was fetched: entries are outdated, many read each of them, and all want
//! to put what they have fetched in its place at the instant at which one client sets it. Once that is acknowledged, the
//! key has what was set.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;

use std::time::Duration;

use answer::read;
use blackbox::{App, Origin, until};
use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

const ROUNDS: usize = 12;
const KEYS: usize = 32;
const READERS: usize = 4;

/// Outdates all keys, and leaves their entries where they are: their versions are evicted; or the module is invalidated,
/// and no registry tells what that is.
async fn outdate(app: &App, round: usize) {
    if round.is_multiple_of(2) {
        evict(app, &(0..KEYS).map(|key| format!("cache:version:kv:get:k{key}")).collect::<Vec<_>>()).await;
    } else {
        evict(app, &["cache:registry:kv:get".to_owned()]).await;
        read(app.admin_cache(Method::DELETE, "/module/kv").await).await.expect_ok();
    }
}

async fn evict(app: &App, keys: &[String]) {
    if keys.is_empty() {
        return;
    }
    let _: i64 = redis::cmd("DEL").arg(keys).query_async(&mut app.redis.connection().await).await.unwrap();
}

#[tokio::test]
async fn what_was_set_is_never_lost_to_what_was_fetched() {
    let origin = Origin::start().await;
    let app = App::builder()
        .variable("cache_origin_url", &origin.url())
        .variable("cache_origin_timeout_ms", "10000")
        .variable("cache_timeout_ms", "2000")
        // As on several machines: every request has an instance of its own, which shares no fetch with others.
        .host_arg("--max-instance-reuse-count", "1");
    let app = app.spawn().await;
    for round in 0..ROUNDS {
        outdate(&app, round).await;
        origin.hold();
        let before = origin.count();
        let mut clients = JoinSet::new();
        for key in (0..KEYS).flat_map(|key| [key; READERS]) {
            let api = app.api.clone();
            clients.spawn(async move { drop(read(api.get_cached(&format!("k{key}")).await).await.expect_ok()) });
        }
        // Leases are evicted, so that many of them fetch at once.
        until("most readers fetch", async || {
            let keys = app.redis.keys().await;
            evict(&app, &keys.into_iter().filter(|key| key.starts_with("filling:")).collect::<Vec<_>>()).await;
            origin.count() >= before + KEYS * (READERS - 1)
        })
        .await;
        for key in 0..KEYS {
            let api = app.api.clone();
            clients.spawn(async move {
                tokio::time::sleep(Duration::from_micros(fastrand::u64(0..100_000))).await;
                drop(read(api.put_cached(&format!("k{key}"), "", &json!(round)).await).await.expect_ok());
            });
        }
        origin.release();
        clients.join_all().await;
        for key in 0..KEYS {
            let seen = read(app.get_cached(&format!("k{key}")).await).await;
            assert!(seen.is_hit() && seen.json()["value"] == round, "k{key}: {round} was set, and lost: {seen:?}");
        }
    }
}
