//! Rate limits under load: clients that send twice as many requests as they may, on two hosts that share one Redis.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use blackbox::{Api, App};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, sleep_until};

const CLIENTS: usize = 20;
/// Requests that each client may send in a window.
const LIMIT: usize = 20;
/// Long enough that a slow machine can send all requests: 40 per second, all clients together.
const WINDOW: Duration = Duration::from_secs(20);
const WINDOWS: u32 = 3;
/// How often the load is tried that a busy machine may not manage.
const ATTEMPTS: usize = 4;

/// One request that passed, by the clock of this test: between these times the service has counted it.
#[derive(Clone, Copy, Debug)]
struct Passed {
    sent: Instant,
    received: Instant,
}

/// What one client saw.
#[derive(Debug)]
struct Seen {
    passed: Vec<Passed>,
    /// Requests that passed because Redis did not reply in time: a machine that is too busy.
    uncounted: usize,
    sent: usize,
    /// The longest time between two requests.
    pause: Duration,
}

/// Sends twice as many requests as allowed, at regular times, to both hosts in turns, from `start` to the end of the
/// windows.
async fn client(hosts: Arc<[Api; 2]>, number: usize, start: Instant) -> Seen {
    let period = WINDOW / (2 * LIMIT as u32);
    let end = start + WINDOW * WINDOWS;
    // Not all clients at the same time.
    let mut ticks = interval_at(start + period * number as u32 / CLIENTS as u32, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut seen = Seen { passed: Vec::new(), uncounted: 0, sent: 0, pause: Duration::ZERO };
    let mut last = start;
    loop {
        ticks.tick().await;
        let sent = Instant::now();
        if sent >= end {
            return seen;
        }
        let request = hosts[seen.sent % 2].get("/api/cache/a").header("x-forwarded-for", format!("203.0.113.{number}"));
        let response = request.await;
        let received = Instant::now();
        match response.status() {
            200 if response.header("ratelimit").is_empty() => seen.uncounted += 1,
            200 => seen.passed.push(Passed { sent, received }),
            429 => {}
            _ => panic!("{response:?}"),
        }
        seen.sent += 1;
        seen.pause = seen.pause.max(received - last);
        last = sent;
    }
}

/// Waits until the next window begins, by the clock of the hosts, which is that of this machine.
async fn next_window() -> Instant {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let left = WINDOW.as_millis() - now.as_millis() % WINDOW.as_millis();
    let start = Instant::now() + Duration::from_millis(left as u64);
    sleep_until(start).await;
    start
}

/// The largest number of requests that were certainly counted within one window's length, wherever it begins.
fn most_in_a_window(passed: &[Passed]) -> usize {
    let within = |first: &Passed| {
        let certainly = |other: &&Passed| other.sent >= first.sent && other.received <= first.sent + WINDOW;
        passed.iter().filter(certainly).count()
    };
    passed.iter().map(within).max().unwrap_or_default()
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
    for attempt in 1..=ATTEMPTS {
        // The first requests of an instance take longer.
        for api in hosts.iter() {
            api.get("/api/cache/a").header("x-forwarded-for", "198.51.100.1").await;
        }
        let start = next_window().await;
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            clients.spawn(client(Arc::clone(&hosts), number, start));
        }
        let seen = clients.join_all().await;
        let passed: usize = seen.iter().map(|seen| seen.passed.len()).sum();
        let sent: usize = seen.iter().map(|seen| seen.sent).sum();
        let pause = seen.iter().map(|seen| seen.pause).max().unwrap();
        let uncounted: usize = seen.iter().map(|seen| seen.uncounted).sum();
        println!(
            "attempt {attempt}: {passed} of {sent} requests passed, and {uncounted} uncounted; pauses to {pause:?}"
        );
        for (number, seen) in seen.iter().enumerate() {
            let most = most_in_a_window(&seen.passed);
            assert!(most <= 2 * LIMIT, "{most} requests of client {number} in a window's length");
        }
        let policy = CLIENTS * LIMIT * WINDOWS as usize;
        assert!(passed * 100 <= policy * 105, "{passed} requests passed, {policy} may");
        // Fewer pass if the machine pauses and the clients do not use their quota.
        let is_even = uncounted == 0 && pause < WINDOW / 20 && sent * 100 >= 2 * policy * 99;
        if is_even {
            assert!(passed * 100 >= policy * 95, "only {passed} requests passed, {policy} may");
            return;
        }
        // So that no window of the next attempt has a window before it with requests.
        sleep(WINDOW).await;
    }
    panic!("the machine is too busy for the load");
}
