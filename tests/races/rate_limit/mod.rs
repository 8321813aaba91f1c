//! Rate limits under load: clients that send twice as many requests as they may, on two hosts that share one Redis.
//! Afterwards [`policy`] judges each request.

mod policy;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use blackbox::{Api, App};
use policy::{Answer, Moment, Policy, Request};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::progress::Progress;

const CLIENTS: usize = 12;
/// Requests that each client may send in a window.
const LIMIT: u64 = 20;
const WINDOW: Duration = Duration::from_secs(8);
/// Three windows of all clients, on a machine that is fast enough.
const ENOUGH: u64 = 3 * CLIENTS as u64 * LIMIT;

fn now() -> Moment {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as Moment
}

/// Sends twice as many requests as allowed, at regular times, to both hosts in turns, until the race ends.
async fn client(hosts: Arc<[Api; 2]>, number: usize, progress: Arc<Progress>) -> Vec<Request> {
    let period = WINDOW / (2 * LIMIT as u32);
    // Not all clients at the same time.
    let mut ticks = interval_at(Instant::now() + period * number as u32 / CLIENTS as u32, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut requests = Vec::new();
    while progress.goes_on() {
        ticks.tick().await;
        let host = &hosts[requests.len() % 2];
        let sent = now();
        let response = host.get("/api/cache/a").header("x-forwarded-for", format!("203.0.113.{number}")).await;
        let received = now();
        let answer = match response.status() {
            200 if response.header("ratelimit").is_empty() => Answer::Uncounted,
            200 => Answer::Passed,
            429 => Answer::Refused,
            _ => panic!("{response:?}"),
        };
        progress.count("passed", usize::from(answer == Answer::Passed));
        progress.count("refused", usize::from(answer == Answer::Refused));
        requests.push(Request { sent, received, answer });
    }
    requests
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passes_at_twice_the_limit_is_the_policy() {
    let app = App::builder()
        .variable("rate_limit", &format!("{LIMIT}/{}s", WINDOW.as_secs()))
        .variable("trusted_proxies", "127.0.0.1")
        .spawn()
        .await;
    let (_host, other) = app.second_host().await;
    let hosts = Arc::new([app.api.clone(), other]);
    let policy = Policy { limit: LIMIT, window_ms: WINDOW.as_millis() as u64 };
    let progress = Progress::until(&[("passed", ENOUGH), ("refused", ENOUGH / 2)]);
    let start = now();
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(client(Arc::clone(&hosts), number, Arc::clone(&progress)));
    }
    let (mut passed, mut strict) = (0, 0);
    for requests in clients.join_all().await {
        let verdict = policy.judge(&requests);
        if let Some(&number) = verdict.wrongly_passed.first() {
            panic!("request {number} should have been refused: {:?}", &requests[..=number]);
        }
        passed += requests.iter().filter(|request| request.answer == Answer::Passed).count();
        strict += verdict.wrongly_refused.len();
    }
    let windows = (now() - start) as f64 / policy.window_ms as f64;
    println!("{passed} requests passed in {windows:.1} windows, {strict} more should have passed");
    progress.expect_enough();
    // Those that refused requests have displaced which the service had not yet subtracted.
    assert!(
        strict * 20 <= passed,
        "{strict} requests were refused and should have passed, beside {passed} that passed"
    );
}
