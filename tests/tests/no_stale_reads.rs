//! Invariant 1 of the cache, over HTTP on real servers: a read that starts after a write was acknowledged never returns
//! anything older. Seven clients write and read a few users that live on, others that come and go, the list and batches,
//! with and without If-None-Match, while something breaks; every answer is checked afterwards.
//!
//! Each test runs for `TUMBLER_RACE_SECONDS` (30). A failure prints its seed, the reads and the host's log; the seed
//! repeats the clients' choices, not the servers' timing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use blackbox::App;
use blackbox::workload::{self, Workload};
use fastrand::Rng;

/// Few, so that writers and readers meet.
const USERS: usize = 4;

/// Runs the workload while `fault` strikes at random moments, every `period` on average (zero: never); then the number
/// of strikes.
async fn run(
    mut app: App,
    users: usize,
    seconds: f64,
    period: Duration,
    mut fault: impl AsyncFnMut(&mut App, &mut Rng),
) -> (workload::Outcome, usize) {
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let workload = Workload::prepare(&app.api, users, seed, end).await;
    let strikes = async {
        let mut rng = Rng::with_seed(seed);
        let mut strikes = 0;
        while !period.is_zero() && Instant::now() < end {
            tokio::time::sleep(period.mul_f64(rng.f64() * 2.0)).await;
            fault(&mut app, &mut rng).await;
            strikes += 1;
        }
        strikes
    };
    tokio::join!(workload.run(), strikes)
}

/// Runs the workload and checks that nothing stale was read and no request failed.
async fn check(
    app: App,
    users: usize,
    period: Duration,
    fault: impl AsyncFnMut(&mut App, &mut Rng),
) -> workload::Outcome {
    let seconds = std::env::var("TUMBLER_RACE_SECONDS").ok().map_or(30.0, |text| text.parse().unwrap());
    let (outcome, strikes) = run(app, users, seconds, period, fault).await;
    let violations = outcome.history.violations();
    let (reads, writes) = (outcome.history.reads(), outcome.history.writes());
    println!(
        "{reads} reads checked against {writes} writes, {strikes} faults, {} of {} answers from the cache, \
         {} requests unanswered, {} stale",
        outcome.hits,
        outcome.answers,
        outcome.unanswered,
        violations.len(),
    );
    assert!(violations.is_empty(), "stale reads, the first of {}: {:#?}", violations.len(), &violations[..1]);
    assert!(outcome.failures.is_empty(), "{} failures: {:#?}", outcome.failures.len(), &outcome.failures[..1]);
    // Else nothing was tested.
    assert!(reads > 100 && writes > 50, "too little happened");
    assert!(outcome.hits > 0, "nothing came from the cache");
    assert!(period.is_zero() || strikes > 0, "nothing went wrong");
    outcome
}

#[tokio::test]
async fn with_nothing_going_wrong() {
    let outcome = check(App::spawn().await, USERS, Duration::ZERO, async |_, _| ()).await;
    assert_eq!(outcome.unanswered, 0);
}

#[tokio::test]
async fn with_an_instance_for_each_request() {
    let app = App::builder().host_arg("--max-instance-reuse-count", "1").spawn().await;
    let outcome = check(app, USERS, Duration::ZERO, async |_, _| ()).await;
    assert_eq!(outcome.unanswered, 0);
}

#[tokio::test]
async fn with_versions_and_generations_deleted_at_random() {
    let app = App::spawn().await;
    let mut redis = app.redis.connection().await;
    let outcome = check(app, USERS, Duration::from_millis(5), async |_, rng: &mut Rng| {
        let key = match rng.usize(..=USERS) {
            0 if rng.bool() => "users:version".to_owned(),
            0 => "cache:generation:users".to_owned(),
            id => format!("user:version:{id}"),
        };
        let _: i64 = redis::cmd("DEL").arg(key).query_async(&mut redis).await.unwrap();
    });
    assert_eq!(outcome.await.unanswered, 0);
}

#[tokio::test]
async fn with_all_keys_deleted_at_random() {
    let app = App::spawn().await;
    let mut redis = app.redis.connection().await;
    let outcome = check(app, USERS, Duration::from_millis(40), async |_, _| {
        let _: String = redis::cmd("FLUSHALL").query_async(&mut redis).await.unwrap();
    });
    assert_eq!(outcome.await.unanswered, 0);
}

#[tokio::test]
async fn with_redis_killed_and_restarted_empty() {
    let outcome =
        check(App::spawn().await, USERS, Duration::from_millis(1500), async |app: &mut App, rng: &mut Rng| {
            app.redis.kill().await.unwrap();
            tokio::time::sleep(Duration::from_millis(rng.u64(..400))).await;
            app.redis.restart().await.unwrap();
        });
    assert_eq!(outcome.await.unanswered, 0);
}

#[tokio::test]
async fn with_the_host_killed_and_restarted() {
    // More users: a write that is killed keeps its user, and the list, out of the cache for half a minute.
    let outcome = check(App::spawn().await, 40, Duration::from_millis(2000), async |app: &mut App, _| {
        app.restart_host().await;
    });
    assert!(outcome.await.unanswered > 0, "no client noticed that the host was killed");
}

/// The control: a stale answer that is put into the cache by hand does not go unnoticed.
#[tokio::test]
async fn a_stale_entry_would_be_noticed() {
    let app = App::spawn().await;
    let mut redis = app.redis.connection().await;
    let mut first: Option<String> = None;
    let (outcome, _) = run(app, USERS, 3.0, Duration::from_millis(5), async |app: &mut App, _| {
        let Some(stale) = &first else {
            // The first of the users that live on, as it was in the beginning.
            let answer = app.get_user(1).await;
            first = if answer.status() == 200 { answer.text().await.ok() } else { None };
            return;
        };
        let version: Option<u64> = redis::cmd("GET").arg("user:version:1").query_async(&mut redis).await.unwrap();
        if let Some(version) = version {
            let pattern = format!("user:cache:1-v{version}:*");
            let entries: Vec<String> = redis::cmd("KEYS").arg(pattern).query_async(&mut redis).await.unwrap();
            for entry in entries {
                let _: String = redis::cmd("SET").arg(entry).arg(stale).query_async(&mut redis).await.unwrap();
            }
        }
    })
    .await;
    assert!(!outcome.history.violations().is_empty(), "the checker is blind");
}
