//! Random walks through scenarios that are too large for an exhaustive search.

use interleavings::random_walk;
use versioned_cache::Settings;

use crate::execution::{Execution, Faults, Scenario, story};
use crate::tasks::Means;
use crate::tasks::Role::{
    BatchReader, CheckingReader, NamedReader, Outsider, PageReader, PageWriter, Reader, Refresher, Setter, SlowReader,
    Writer,
};
use crate::world::Rules;

/// More requests, each with several reads or writes, which wait for one another's fills. `EXPLORER_SEED` repeats one
/// walk of each scenario; `EXPLORER_WALKS` sets the number of walks.
#[test]
fn many_requests_at_random() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let base = Scenario {
        roles: vec![Writer(2), Writer(2), Writer(1), Reader(3), Reader(3), BatchReader(3), Reader(3)],
        shared_instance: false,
        warm: true,
        outdated: false,
        ended: false,
        faults: Faults { ends_of_marks: 1, cancellations: 3, evictions: 4, flushes: 0, losses: 0, failed_selects: 0 },
        rules: Rules::default(),
        settings: Settings { verify_ratio: 0.0, ..Settings::default() },
    };
    let flushed = Scenario {
        faults: Faults { evictions: 2, flushes: 2, ..Faults::default() },
        rules: Rules { acknowledged_only: true, ..Rules::default() },
        ..base.clone()
    };
    let invalidated = Scenario {
        roles: vec![
            Outsider(Means::Module),
            Writer(2),
            Reader(3),
            BatchReader(2),
            Outsider(Means::User),
            Outsider(Means::Clear),
            Reader(3),
        ],
        rules: Rules { acknowledged_only: true, evict_generations: true, ..Rules::default() },
        ..base.clone()
    };
    let named = Scenario {
        roles: vec![
            Outsider(Means::NamedModule),
            NamedReader(3),
            Outsider(Means::Delete),
            NamedReader(3),
            Outsider(Means::Matching),
            NamedReader(3),
        ],
        ..invalidated.clone()
    };
    let set = Scenario {
        roles: vec![Outsider(Means::NamedModule), Setter(3), NamedReader(3), Outsider(Means::Delete), NamedReader(3)],
        ..named.clone()
    };
    let lossy = |of: &Scenario| Scenario {
        faults: Faults { losses: 4, cancellations: 1, ..Faults::default() },
        settings: Settings { patience_ms: 60, ..of.settings },
        ..of.clone()
    };
    let checked = Scenario {
        roles: vec![Writer(2), CheckingReader(3), Writer(1), CheckingReader(2)],
        settings: Settings { verify_ratio: 1.0, ..base.settings },
        ..base.clone()
    };
    let refreshed = Scenario {
        roles: vec![Writer(2), Refresher(3), Reader(2), SlowReader(2)],
        shared_instance: true,
        ended: true,
        faults: Faults { failed_selects: 2, ..base.faults },
        settings: Settings { grace_ms: 3_600_000, soft_timeout_ms: 50, refresh_ahead: 1e12, ..base.settings },
        ..base.clone()
    };
    let paged = Scenario {
        roles: vec![PageWriter, PageReader(3), PageReader(2), PageWriter, PageReader(3), PageReader(2)],
        shared_instance: true,
        ..base.clone()
    };
    let scenarios = [
        lossy(&Scenario { rules: flushed.rules, ..paged.clone() }),
        paged,
        refreshed,
        checked,
        lossy(&set),
        lossy(&invalidated),
        Scenario { shared_instance: true, ..set.clone() },
        set,
        Scenario { shared_instance: true, ..named.clone() },
        named,
        Scenario { shared_instance: true, ..invalidated.clone() },
        invalidated,
        Scenario { shared_instance: true, ..base.clone() },
        base,
        flushed,
    ];
    let seeds = match number("EXPLORER_SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            let first = fastrand::u64(..u64::MAX / 2);
            first..first + number("EXPLORER_WALKS").unwrap_or(1_000)
        }
    };
    println!("seeds {seeds:?}");
    for seed in seeds {
        for scenario in &scenarios {
            if let Some((what, path)) = random_walk(Execution::new(scenario), seed) {
                panic!("EXPLORER_SEED={seed} repeats this: {what}\n{}", story(scenario, &path));
            }
        }
    }
}
