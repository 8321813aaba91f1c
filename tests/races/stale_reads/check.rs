//! Runs a workload while something breaks, and checks what its clients saw.
//!
//! A failure prints the seed, the reads and the host's log. The seed repeats the clients' choices, not the servers'
//! timing.

use std::sync::Arc;
use std::time::Duration;

use blackbox::App;
use fastrand::Rng;

use super::workload::{Outcome, Resource, Workload};
use crate::progress::Progress;

/// Few, so that writers and readers meet.
pub const FEW: usize = 4;
/// What must have happened in a race, besides the faults.
const ENOUGH: [(&str, u64); 3] = [("reads", 2_500), ("writes", 250), ("hits", 125)];

/// Runs the workload on `count` resources that stay while `fault` strikes at random times, on average once per
/// `period`.
pub async fn run<R: Resource>(
    app: &mut App,
    count: usize,
    progress: &Arc<Progress>,
    period: Duration,
    mut fault: impl AsyncFnMut(&mut App, &mut Rng),
) -> Outcome {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let workload = Workload::<R>::prepare(&app.api, count, seed, progress).await;
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
pub async fn check<R: Resource>(
    mut app: App,
    count: usize,
    faults: u64,
    period: Duration,
    fault: impl AsyncFnMut(&mut App, &mut Rng),
) -> Outcome {
    let progress = Progress::until(&[&ENOUGH[..], &[("faults", faults)]].concat());
    let outcome = run::<R>(&mut app, count, &progress, period, fault).await;
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
pub async fn none(_: &mut App, _: &mut Rng) {}

/// Deletes all keys.
pub async fn flush(app: &mut App, _: &mut Rng) {
    app.redis.run(&["FLUSHALL"]).await;
}

/// Kills Redis, and starts it empty after a while.
pub async fn restart_redis(app: &mut App, rng: &mut Rng) {
    app.redis.kill().await.unwrap();
    tokio::time::sleep(Duration::from_millis(rng.u64(..400))).await;
    app.redis.restart().await.unwrap();
}

/// Kills the host with SIGKILL and starts it again.
pub async fn restart_host(app: &mut App, _: &mut Rng) {
    app.restart_host().await;
}
