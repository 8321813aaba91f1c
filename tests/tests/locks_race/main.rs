//! Invariants 5 and 6 of the locks, over HTTP: two hosts on one Redis, 64 clients that increment a counter which checks
//! fencing numbers, with TTLs so short that locks expire in the middle of the work. Never are there two valid holders
//! (unless Redis lost everything in between, for which the numbers are there), never is a number lower than one before,
//! and no increment is lost.
//!
//! Each test runs for `TUMBLER_RACE_SECONDS` (30). A failure prints its seed, the grants and the hosts' logs; the seed
//! repeats the clients' choices, not the servers' timing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client;
mod counter;
mod ledger;

use std::sync::Arc;
use std::time::{Duration, Instant};

use blackbox::{App, lock_servers};
use client::{Client, Outcome, now};
use counter::Counter;
use fastrand::Rng;
use ledger::{Ledger, Violation};

const CLIENTS: u64 = 64;
const MAX_TTL_MS: u64 = 120;

/// What happened.
struct Race {
    ledger: Ledger,
    outcome: Outcome,
    counter: counter::State,
}

/// Runs the clients on two hosts while `fault` strikes every `period` on average. It gives the time during which Redis
/// was gone, if it was.
async fn run(
    mut app: App,
    max_ttl_ms: u64,
    seconds: f64,
    period: Duration,
    mut fault: impl AsyncFnMut(&mut App, &mut Rng) -> Option<(u64, u64)>,
) -> Race {
    let (_second, other) = app.second_host().await;
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let counter = Arc::new(Counter::default());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| Client {
            apis: vec![app.api.clone(), other.clone()],
            counter: counter.clone(),
            rng: Rng::with_seed(seed.wrapping_add(number)),
            max_ttl_ms,
            end,
        })
        .map(|client| tokio::spawn(client.run()))
        .collect();
    let mut ledger = Ledger::default();
    let mut rng = Rng::with_seed(seed);
    while Instant::now() < end {
        tokio::time::sleep(period.mul_f64(0.5 + rng.f64())).await;
        ledger.restarts.extend(fault(&mut app, &mut rng).await);
    }
    let mut outcome = Outcome::default();
    for client in clients {
        outcome.merge(client.await.unwrap());
    }
    ledger.holds = std::mem::take(&mut outcome.holds);
    Race { ledger, outcome, counter: counter.state() }
}

fn race_seconds() -> f64 {
    std::env::var("TUMBLER_RACE_SECONDS").ok().map_or(30.0, |text| text.parse().unwrap())
}

/// Asserts what holds in any case, and returns what else was violated.
fn check(race: &Race) -> Vec<Violation> {
    let Race { ledger, outcome, counter } = race;
    let (violations, explained) = ledger.check();
    println!(
        "{} grants, {} refusals, {} extensions, {} answers 503, {} restarts of Redis; {} increments accepted, {} accesses \
         rejected by number, {} releases too late; {explained} pairs of holders that a restart explains",
        ledger.holds.len(),
        outcome.refusals,
        outcome.extended,
        outcome.unavailable,
        ledger.restarts.len(),
        counter.writes,
        outcome.rejected,
        outcome.late,
    );
    assert_eq!(counter.value, counter.writes, "increments were lost");
    assert!(outcome.failures.is_empty(), "{} failures: {:#?}", outcome.failures.len(), &outcome.failures[..1]);
    // Else nothing was tested.
    assert!(ledger.holds.len() > 50 && counter.writes > 10, "too little happened");
    assert!(outcome.late > 0 && outcome.extended > 0, "no lock expired in the middle of the work");
    violations
}

fn expect_none(violations: &[Violation]) {
    assert!(violations.is_empty(), "{} violations, the first: {:#?}", violations.len(), violations[0]);
}

#[tokio::test]
async fn two_hosts_and_expiring_locks() {
    let race = run(App::spawn().await, MAX_TTL_MS, race_seconds(), Duration::from_millis(100), async |_, _| None).await;
    expect_none(&check(&race));
    assert!(race.outcome.rejected > 0, "the resource had nothing to refuse");
}

#[tokio::test]
async fn with_redis_killed_and_restarted_empty() {
    let fault = async |app: &mut App, rng: &mut Rng| {
        let killed = now();
        app.redis.kill().await.unwrap();
        tokio::time::sleep(Duration::from_millis(rng.u64(..100))).await;
        app.redis.restart().await.unwrap();
        Some((killed, now()))
    };
    // Some locks must outlive the restart, so that only the numbers tell the two holders apart.
    let race = run(App::spawn().await, 400, race_seconds(), Duration::from_millis(1_500), fault).await;
    expect_none(&check(&race));
    assert!(!race.ledger.restarts.is_empty());
}

#[tokio::test]
async fn with_fencing_counters_evicted() {
    let app = App::spawn().await;
    let mut redis = app.redis.connection().await;
    let fault = async |_: &mut App, _: &mut Rng| {
        // On a busy machine one may time out.
        let _: redis::RedisResult<i64> = redis::cmd("DEL").arg("fencing:counter").query_async(&mut redis).await;
        None
    };
    expect_none(&check(&run(app, MAX_TTL_MS, race_seconds(), Duration::from_millis(20), fault).await));
}

/// In quorum mode: one server stops or is killed, while the other two go on.
#[tokio::test]
async fn on_three_servers_of_which_one_hangs_or_dies_at_times() {
    let folder = tempfile::tempdir().unwrap();
    let mut servers = lock_servers(folder.path()).await;
    let app = App::builder().locks_on(&servers).spawn().await;
    let mut strikes = 0;
    let fault = async |_: &mut App, rng: &mut Rng| {
        let server = &mut servers[rng.usize(..3)];
        let down = Duration::from_millis(rng.u64(..800));
        strikes += 1;
        if rng.bool() {
            server.pause();
            tokio::time::sleep(down).await;
            server.resume();
            return None;
        }
        let killed = now();
        server.kill().await.unwrap();
        tokio::time::sleep(down).await;
        server.restart().await.unwrap();
        Some((killed, now()))
    };
    let race = run(app, MAX_TTL_MS, race_seconds(), Duration::from_millis(800), fault).await;
    println!("{strikes} faults");
    expect_none(&check(&race));
}

/// The control: locks that vanish do not go unnoticed, and even then no increment is lost.
#[tokio::test]
async fn a_second_holder_would_be_noticed() {
    let app = App::spawn().await;
    let mut redis = app.redis.connection().await;
    let fault = async |_: &mut App, _: &mut Rng| {
        let _: redis::RedisResult<i64> = redis::cmd("DEL").arg("locks:counter").query_async(&mut redis).await;
        None
    };
    let violations = check(&run(app, MAX_TTL_MS, 5.0, Duration::from_millis(20), fault).await);
    assert!(violations.iter().any(|violation| matches!(violation, Violation::TwoHolders(..))), "the checker is blind");
    assert!(violations.iter().all(|violation| !matches!(violation, Violation::NotGreater(..))), "{violations:#?}");
}
