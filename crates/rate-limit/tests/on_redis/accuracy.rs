//! How many requests pass in all: two instances on one Redis, clients at twice their limit.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use crate::world::{class, on_redis};

const CLIENTS: usize = 20;
const LIMIT: usize = 100;
const WINDOW_MS: u64 = 60_000;
/// Each client sends a request to both instances in each step: twice the limit per window.
const STEPS_PER_WINDOW: u64 = LIMIT as u64;
const STEP_MS: u64 = WINDOW_MS / STEPS_PER_WINDOW;

/// How many requests of a client were allowed at each time.
type Allowed = BTreeMap<u64, usize>;

fn between(allowed: &Allowed, from_ms: u64, to_ms: u64) -> usize {
    allowed.range(from_ms..to_ms).map(|(_, count)| count).sum()
}

/// Runs the clients for some windows, beginning at `from_ms`.
async fn run(from_ms: u64, windows: u64) -> Vec<Allowed> {
    let mut all = vec![Allowed::new(); CLIENTS];
    on_redis(async |world| {
        let limited = class(&format!("{LIMIT}/60s"));
        for step in 0..windows * STEPS_PER_WINDOW {
            let now_ms = from_ms + step * STEP_MS;
            world.set_clock(now_ms);
            let requests = (0..CLIENTS).flat_map(|client| [(&world.one, client), (&world.other, client)]);
            let decided = join_all(requests.map(|(instance, client)| {
                let limited = &limited;
                async move { (client, instance.is_allowed(limited, &client.to_string()).await) }
            }));
            for (client, is_allowed) in decided.await {
                *all[client].entry(now_ms).or_default() += usize::from(is_allowed);
            }
        }
    })
    .await;
    all
}

#[tokio::test]
async fn clients_at_twice_their_limit_get_their_limit() {
    let all = run(0, 3).await;
    println!(
        "passed in three windows: {:?}",
        all.iter().map(|allowed| between(allowed, 0, 3 * WINDOW_MS)).collect::<Vec<_>>()
    );
    for allowed in all {
        for window in 0..3 {
            let passed = between(&allowed, window * WINDOW_MS, (window + 1) * WINDOW_MS);
            assert!((LIMIT * 95 / 100..=LIMIT).contains(&passed), "{passed} passed in window {window}");
        }
        let passed = between(&allowed, 0, 3 * WINDOW_MS);
        assert!((3 * LIMIT * 95 / 100..=3 * LIMIT).contains(&passed), "{passed} passed in three windows");
    }
}

#[tokio::test]
async fn less_than_twice_the_limit_passes_at_an_edge() {
    // Begins in the middle of a window, so that the first limit is used up just before its end.
    for allowed in run(WINDOW_MS / 2, 3).await {
        for from_ms in (0..3 * WINDOW_MS).step_by(STEP_MS as usize) {
            let passed = between(&allowed, from_ms, from_ms + WINDOW_MS);
            assert!(passed < 2 * LIMIT, "{passed} passed in the 60 s after {from_ms} ms");
        }
        let passed = between(&allowed, WINDOW_MS, 3 * WINDOW_MS);
        assert!((2 * LIMIT * 95 / 100..=2 * LIMIT).contains(&passed), "{passed} passed in two whole windows");
    }
}
