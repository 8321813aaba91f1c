//! Reads of sellers: seven clients write and read a few sellers that stay and others that are registered and archived,
//! by id, by user and in lists, while something breaks. The writers change profiles, record sales and change states.

use std::time::Duration;

use blackbox::App;
use fastrand::Rng;

use super::check::{FEW, check, flush, none, restart_host, restart_redis, run};
use super::workload::Seller;
use crate::progress::Progress;

#[tokio::test]
async fn no_read_of_a_seller_is_stale_without_faults() {
    let outcome = check::<Seller>(App::spawn().await, FEW, 0, Duration::from_millis(50), none).await;
    assert_eq!(outcome.unanswered, 0);
}

#[tokio::test]
async fn no_read_of_a_seller_is_stale_with_an_instance_for_each_request() {
    let app = App::builder().instance_per_request().spawn().await;
    let outcome = check::<Seller>(app, FEW, 0, Duration::from_millis(50), none).await;
    assert_eq!(outcome.unanswered, 0);
}

#[tokio::test]
async fn no_read_of_a_seller_is_stale_when_versions_and_generations_are_evicted() {
    // Each is one key, if there is one then.
    const EVICTIONS: u64 = 150;
    let mut evicted = 0;
    let evict = async |app: &mut App, rng: &mut Rng| {
        let pattern = if rng.u8(..4) == 0 { "cache:generation:*" } else { "seller*version*" };
        let keys: Vec<String> = app.redis.ask(&["KEYS", pattern]).await;
        if let Some(key) = rng.choice(keys) {
            app.redis.run(&["DEL", &key]).await;
            evicted += 1;
        }
    };
    let outcome = check::<Seller>(App::spawn().await, FEW, EVICTIONS, Duration::from_millis(5), evict).await;
    assert_eq!(outcome.unanswered, 0);
    assert!(evicted > EVICTIONS / 4, "{evicted} keys were evicted");
}

#[tokio::test]
async fn no_read_of_a_seller_is_stale_when_all_keys_are_deleted() {
    let outcome = check::<Seller>(App::spawn().await, FEW, 30, Duration::from_millis(40), flush).await;
    assert_eq!(outcome.unanswered, 0);
}

#[tokio::test]
async fn no_read_of_a_seller_is_stale_when_redis_is_killed_and_restarted_empty() {
    let outcome = check::<Seller>(App::spawn().await, FEW, 3, Duration::from_millis(1500), restart_redis).await;
    assert_eq!(outcome.unanswered, 0);
}

#[tokio::test]
async fn no_read_of_a_seller_is_stale_when_the_host_is_killed_and_restarted() {
    // More sellers: a write that is killed keeps its seller and the lists out of the cache for half a minute.
    let outcome = check::<Seller>(App::spawn().await, 40, 3, Duration::from_millis(2000), restart_host).await;
    assert!(outcome.unanswered > 0, "no client noticed that the host was killed");
}

/// The control: a row that the test changes by hand, without the cache, makes stale reads by id and by user.
#[tokio::test]
async fn stale_entries_of_sellers_are_found() {
    let mut app = App::spawn().await;
    let progress = Progress::until(&[("reads", 1_000), ("stale entries", 50)]);
    // For each entry of a seller that stays, what it was when it was seen first.
    let mut first: std::collections::HashMap<String, String> = std::collections::HashMap::new();
    let outcome = run::<Seller>(&mut app, FEW, &progress, Duration::from_millis(5), async |app: &mut App, _| {
        for (client, path) in [(app.as_admin(), "/sellers/1"), (app.as_admin(), "/sellers/user/1")] {
            let response = client.get(path).await;
            let Some(key) = response.cache_parameter("key").map(|key| key.trim_matches('"').to_owned()) else {
                continue;
            };
            match first.get(path) {
                None => drop(first.insert(path.to_owned(), response.text().to_owned())),
                Some(stale) => {
                    app.redis.run(&["SET", &key, stale, "XX"]).await;
                    progress.count("stale entries", 1);
                }
            }
        }
    })
    .await;
    assert!(!outcome.history.violations().is_empty(), "the checker finds nothing");
}
