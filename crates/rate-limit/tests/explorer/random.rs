//! Random walks, for scenarios that are too large to explore all interleavings.

use interleavings::random_walk;

use crate::execution::{Execution, Faults, log_of};
use crate::world::Rules;
use crate::{RULES, scenario, with};

/// `EXPLORER_SEED` repeats one walk. `EXPLORER_WALKS` sets the number of walks.
#[test]
fn many_instances_at_random() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let seeds = match number("EXPLORER_SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            let first = fastrand::u64(..u64::MAX / 2);
            first..first + number("EXPLORER_WALKS").unwrap_or(2_000)
        }
    };
    println!("seeds {seeds:?}");
    let requests = [4, 3, 3, 2, 2];
    let kept = Faults { losses: 3, delays: 4, windows: 2, ..Faults::default() };
    let lost = Faults { losses: 3, delays: 4, windows: 2, evictions: 3, ttls: 2 };
    let rules = Rules { limit: 4, previous: 2, loses_everywhere: true, ..RULES };
    let scenarios = [
        with(rules, scenario(&requests, kept)),
        with(rules, scenario(&requests, lost)),
        with(Rules { has_increx: true, ..rules }, scenario(&requests, kept)),
        with(Rules { has_increx: true, ..rules }, scenario(&requests, lost)),
    ];
    for seed in seeds {
        for scenario in &scenarios {
            if let Some((what, path)) = random_walk(Execution::new(scenario), seed) {
                panic!("EXPLORER_SEED={seed} repeats this: {what}\n{}", log_of(scenario, &path));
            }
        }
    }
}
