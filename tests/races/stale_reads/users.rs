//! Reads of users: seven clients write and read a few users that stay, others that are created and deleted, the list and
//! several ids, with and without If-None-Match, while something breaks. Afterwards [`super::history`] checks every response.
//!
//! A failure prints the seed, the reads and the host's log. The seed repeats the clients' choices, not the servers' timing.

use std::sync::Arc;
use std::time::Duration;

use blackbox::App;
use fastrand::Rng;

use super::workload::{Outcome, Workload};
use crate::progress::Progress;

/// Few, so that writers and readers meet.
const USERS: usize = 4;
/// What must have happened in a race, besides the faults.
const ENOUGH: [(&str, u64); 3] = [("reads", 10_000), ("writes", 1_000), ("hits", 500)];

/// Runs the workload while `fault` strikes at random times, on average once per `period`.
async fn run(
    app: &mut App,
    users: usize,
    progress: &Arc<Progress>,
    period: Duration,
    mut fault: impl AsyncFnMut(&mut App, &mut Rng),
) -> Outcome {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let workload = Workload::prepare(&app.api, users, seed, progress).await;
    let faults = async {
        let mut rng = Rng::with_seed(seed);
        while progress.goes_on() {
            tokio::time::sleep(period.mul_f64(rng.f64() * 2.0)).await;
            fault(&mut *app, &mut rng).await;
            progress.count("faults", 1);
            progress.happens_again("hits").await;
        }
    };
    let (outcome, ()) = tokio::join!(workload.run(), faults);
    progress.expect_enough();
    outcome
}

/// Runs the workload with at least this number of faults. Checks that no read is stale and no response is wrong.
async fn check(
    mut app: App,
    users: usize,
    faults: u64,
    period: Duration,
    fault: impl AsyncFnMut(&mut App, &mut Rng),
) -> Outcome {
    let progress = Progress::until(&[&ENOUGH[..], &[("faults", faults)]].concat());
    let outcome = run(&mut app, users, &progress, period, fault).await;
    let violations = outcome.history.violations();
    println!(
        "{} of {} responses from the cache, {} requests without a response, {} of {} reads stale",
        outcome.hits,
        outcome.responses,
        outcome.unanswered,
        violations.len(),
        outcome.history.reads(),
    );
    assert!(violations.is_empty(), "stale reads, the first of {}: {:#?}", violations.len(), &violations[..1]);
    assert!(outcome.failures.is_empty(), "{} failures: {:#?}", outcome.failures.len(), &outcome.failures[..1]);
    outcome
}

/// No fault at all.
async fn none(_: &mut App, _: &mut Rng) {}

#[tokio::test]
async fn no_read_is_stale_without_faults() {
    let outcome = check(App::spawn().await, USERS, 0, Duration::from_millis(50), none).await;
    assert_eq!(outcome.unanswered, 0);
}

#[tokio::test]
async fn no_read_is_stale_with_an_instance_for_each_request() {
    let app = App::builder().instance_per_request().spawn().await;
    let outcome = check(app, USERS, 0, Duration::from_millis(50), none).await;
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
    let outcome = check(App::spawn().await, USERS, 500, Duration::from_millis(5), evict).await;
    assert_eq!(outcome.unanswered, 0);
}

#[tokio::test]
async fn no_read_is_stale_when_all_keys_are_deleted() {
    let flush = async |app: &mut App, _: &mut Rng| app.redis.run(&["FLUSHALL"]).await;
    let outcome = check(App::spawn().await, USERS, 100, Duration::from_millis(40), flush).await;
    assert_eq!(outcome.unanswered, 0);
}

#[tokio::test]
async fn no_read_is_stale_when_redis_is_killed_and_restarted_empty() {
    let restart = async |app: &mut App, rng: &mut Rng| {
        app.redis.kill().await.unwrap();
        tokio::time::sleep(Duration::from_millis(rng.u64(..400))).await;
        app.redis.restart().await.unwrap();
    };
    let outcome = check(App::spawn().await, USERS, 8, Duration::from_millis(1500), restart).await;
    assert_eq!(outcome.unanswered, 0);
}

#[tokio::test]
async fn no_read_is_stale_when_the_host_is_killed_and_restarted() {
    let restart = async |app: &mut App, _: &mut Rng| app.restart_host().await;
    // More users: a write that is killed keeps its user and the list out of the cache for half a minute.
    let outcome = check(App::spawn().await, 40, 6, Duration::from_millis(2000), restart).await;
    assert!(outcome.unanswered > 0, "no client noticed that the host was killed");
}

/// The control: a stale entry that the test writes into the cache is found.
#[tokio::test]
async fn a_stale_entry_is_found() {
    let mut app = App::spawn().await;
    let progress = Progress::until(&[("reads", 2_000), ("stale entries", 200)]);
    let mut first: Option<String> = None;
    let outcome = run(&mut app, USERS, &progress, Duration::from_millis(5), async |app: &mut App, _| {
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
