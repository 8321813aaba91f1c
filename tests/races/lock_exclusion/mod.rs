//! Invariants 5 and 6 of the locks: two hosts, and 64 clients (16 in quorum mode) that increment a counter which checks
//! fencing tokens. The TTLs are so short that locks expire during the work. There are never two valid holders, except
//! where Redis has lost its data, which the fencing tokens cover. A fencing token is never lower than one before, and
//! no increment is lost.
//!
//! A failure prints the seed, the grants and the hosts' logs. The seed repeats the clients' choices, not the servers'
//! timing.

pub mod client;
pub mod counter;
pub mod ledger;

use std::sync::Arc;
use std::time::Duration;

use blackbox::{App, lock_servers};
use client::{Client, Outcome, Ttls, now};
use counter::Counter;
use fastrand::Rng;
use ledger::{Ledger, Violation};

use crate::progress::Progress;

const CLIENTS: u64 = 64;
/// With more clients on three servers, no client gets a majority most of the time: each of the servers grants the lock
/// to another one. A slow machine then grants hardly any lock.
const CLIENTS_OF_QUORUM: u64 = 16;
const MAX_TTL_MS: u64 = 120;
/// What must have happened in a race, besides the faults.
const ENOUGH: [(&str, u64); 4] = [("grants", 30), ("increments", 10), ("late releases", 3), ("extensions", 1)];

/// When Redis was killed and when it was restarted, if it was.
type Restart = Option<(ledger::Moment, ledger::Moment)>;

/// Runs the clients on two hosts while `fault` strikes once per `period` on average. Checks what holds in every race,
/// and returns all other violations.
async fn run(
    mut app: App,
    clients: u64,
    max_ttl_ms: u64,
    also: (&'static str, u64),
    period: Duration,
    mut fault: impl AsyncFnMut(&mut App, &mut Rng) -> Restart,
) -> Vec<Violation> {
    let (_second, other) = app.second_host().await;
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let progress = Progress::until(&[&ENOUGH[..], &[also]].concat());
    let counter = Arc::new(Counter::default());
    let ttls = Ttls::up_to(max_ttl_ms);
    let client = |number| Client {
        apis: vec![app.api.clone(), other.clone()],
        counter: counter.clone(),
        rng: Rng::with_seed(seed.wrapping_add(number)),
        ttls: ttls.clone(),
        progress: progress.clone(),
    };
    let clients: Vec<_> = (0..clients).map(|number| tokio::spawn(client(number).run())).collect();
    let mut ledger = Ledger::default();
    let mut rng = Rng::with_seed(seed);
    while progress.goes_on() {
        tokio::time::sleep(period.mul_f64(0.5 + rng.f64())).await;
        ledger.restarts.extend(fault(&mut app, &mut rng).await);
        progress.count("faults", 1);
        progress.happens_again("grants").await;
    }
    let mut outcome = Outcome::default();
    for client in clients {
        outcome.merge(client.await.unwrap());
    }
    ledger.holds = std::mem::take(&mut outcome.holds);
    let (violations, explained) = ledger.check();
    println!(
        "{} refusals, {} responses 503, {} restarts of Redis, {} accesses rejected by fencing token; {explained} pairs of \
         holders that a restart explains",
        outcome.refusals,
        outcome.unavailable,
        ledger.restarts.len(),
        outcome.rejected,
    );
    let counter = counter.state();
    assert_eq!(outcome.unanswered, 0);
    assert_eq!(counter.value, counter.writes, "increments were lost");
    assert!(outcome.failures.is_empty(), "{} failures: {:#?}", outcome.failures.len(), &outcome.failures[..1]);
    progress.expect_enough();
    violations
}

fn expect_none(violations: &[Violation]) {
    assert!(violations.is_empty(), "{} violations, the first: {:#?}", violations.len(), violations[0]);
}

#[tokio::test]
async fn locks_that_expire_exclude_each_other_on_two_hosts() {
    let none = async |_: &mut App, _: &mut Rng| None;
    let app = App::spawn().await;
    expect_none(&run(app, CLIENTS, MAX_TTL_MS, ("rejections", 20), Duration::from_millis(100), none).await);
}

#[tokio::test]
async fn fencing_tokens_increase_when_redis_is_killed_and_restarted_empty() {
    let restart = async |app: &mut App, rng: &mut Rng| {
        let killed = now();
        app.redis.kill().await.unwrap();
        tokio::time::sleep(Duration::from_millis(rng.u64(..100))).await;
        app.redis.restart().await.unwrap();
        Some((killed, now()))
    };
    // Some locks must outlive the restart, so that only the fencing tokens distinguish the two holders.
    expect_none(&run(App::spawn().await, CLIENTS, 400, ("faults", 4), Duration::from_millis(1_500), restart).await);
}

#[tokio::test]
async fn fencing_tokens_increase_when_their_counters_are_evicted() {
    let evict = async |app: &mut App, _: &mut Rng| {
        app.redis.run(&["DEL", "fencing:counter"]).await;
        None
    };
    expect_none(&run(App::spawn().await, CLIENTS, MAX_TTL_MS, ("faults", 100), Duration::from_millis(20), evict).await);
}

/// In quorum mode: one server hangs or is killed, while the other two go on.
#[tokio::test]
async fn locks_on_three_servers_exclude_each_other_while_one_hangs_or_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut servers = lock_servers(folder.path()).await;
    let app = App::builder().locks_on(&servers).variable("lock_timeout_ms", "2000").spawn().await;
    let fault = async |_: &mut App, rng: &mut Rng| {
        let server = &mut servers[rng.usize(..3)];
        let down = Duration::from_millis(rng.u64(..800));
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
    expect_none(&run(app, CLIENTS_OF_QUORUM, MAX_TTL_MS, ("faults", 5), Duration::from_millis(800), fault).await);
}

/// The control: the second holder is found when locks are deleted, and even then no increment is lost.
#[tokio::test]
async fn a_second_holder_is_found() {
    let delete = async |app: &mut App, _: &mut Rng| {
        app.redis.run(&["DEL", "locks:counter"]).await;
        None
    };
    let violations =
        run(App::spawn().await, CLIENTS, MAX_TTL_MS, ("faults", 50), Duration::from_millis(20), delete).await;
    assert!(
        violations.iter().any(|violation| matches!(violation, Violation::TwoHolders(..))),
        "the checker finds nothing"
    );
    assert!(violations.iter().all(|violation| !matches!(violation, Violation::NotGreater(..))), "{violations:#?}");
}
