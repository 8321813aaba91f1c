//! Random walks, for scenarios that are too large to explore all interleavings.

use interleavings::random_walk;

use crate::execution::{Execution, Faults, Scenario, log_of};
use crate::tasks::Role::{Brief, Holder};
use crate::{MIXED, NONE, PLAIN, REDIS_8_4, SINGLE_COMMANDS, VALKEY_9, losing_locks, on, scenario};

/// `EXPLORER_SEED` repeats one walk. `EXPLORER_WALKS` sets the number of walks.
fn at_random(scenarios: &[Scenario], walks: u64) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let seeds = match number("EXPLORER_SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            let first = fastrand::u64(..u64::MAX / 2);
            first..first + number("EXPLORER_WALKS").unwrap_or(walks)
        }
    };
    println!("seeds {seeds:?}");
    for seed in seeds {
        for scenario in scenarios {
            if let Some((what, path)) = random_walk(Execution::new(scenario), seed) {
                panic!("EXPLORER_SEED={seed} repeats this: {what}\n{}", log_of(scenario, &path));
            }
        }
    }
}

#[test]
fn many_clients_at_random() {
    let roles = [Holder(3), Holder(2), Holder(2), Brief(3), Brief(2)];
    let lasting = scenario(&roles, false, Faults { half_ttls: 8, delays: 6, evictions: 4, ..NONE });
    let faults = Faults { half_ttls: 4, delays: 6, evictions: 4, flushes: 3, ..NONE };
    let lossy = losing_locks(scenario(&roles, true, faults));
    let new = [on(VALKEY_9, lasting.clone()), on(REDIS_8_4, lossy.clone())];
    at_random(&[lasting, lossy], 5_000);
    at_random(&new, 5_000);
}

#[test]
fn many_clients_on_three_servers_at_random() {
    let roles = [Holder(2), Holder(2), Brief(2), Brief(2)];
    let faults = Faults { half_ttls: 6, delays: 6, downgrades: 1, ..NONE };
    let kinds = [SINGLE_COMMANDS, PLAIN, MIXED];
    at_random(&kinds.map(|servers| on(servers, scenario(&roles, true, faults))), 1_000);
}
