//! Shows that the footprints of actions are complete. An action whose footprint lacks something would seem to commute
//! with actions that it does not commute with, and the search would miss states.

use interleavings::{Unreduced, explore};

use crate::execution::{Execution, Faults, Scenario};
use crate::tasks::Means;
use crate::tasks::Role::{
    BatchReader, CheckingReader, Creator, GuardedReader, NamedReader, NamedRefresher, Outsider, Reader, Refresher,
    Setter, SlowReader, UsersReader, Writer,
};
use crate::{BOTH, EVICTION, checked, in_grace, invalidated, lossy, refreshing, refreshing_named, scenario};
use crate::{set_during_reads, with_ttls};

fn assert_complete(scenario: &Scenario) {
    let (some, all) = (explore(|| Execution::new(scenario)), explore(|| Unreduced(Execution::new(scenario))));
    println!("{:?}: {} states, {} of {} steps", scenario.roles, all.states, some.steps, all.steps);
    assert_eq!(some.states, all.states, "{scenario:?}");
    assert!(some.steps < all.steps, "{scenario:?}");
    assert!(some.violation.is_none() && all.violation.is_none(), "{scenario:?}");
}

#[test]
fn the_search_visits_the_same_states_with_and_without_footprints() {
    let mut several = scenario(&[Writer(1), Reader(1)], true, Faults { flushes: 1, ..Faults::default() });
    several.rules.acknowledged_only = true;
    let scenarios = [
        several,
        scenario(&[Writer(1), Writer(1)], true, BOTH),
        scenario(&[Reader(1), BatchReader(1)], false, EVICTION),
        scenario(&[Creator, GuardedReader], false, EVICTION),
        invalidated(&[Outsider(Means::Clear), Reader(1)]),
        invalidated(&[Outsider(Means::Matching), NamedReader(1)]),
        invalidated(&[Outsider(Means::User), UsersReader(1)]),
        Scenario { outdated: true, ..lossy(&[Setter(1), NamedReader(1)], 1) },
        Scenario { faults: EVICTION, ..set_during_reads(Setter(1), EVICTION) },
        lossy(&[Outsider(Means::NamedModule), Setter(1)], 1),
        checked(&[Writer(1), CheckingReader(1)], true, EVICTION),
        with_ttls(&[Writer(1), Reader(1)], false, Faults::default()),
        in_grace(&[Writer(1), SlowReader(1)], EVICTION),
        refreshing(&[Writer(1), Refresher(1)], EVICTION),
        refreshing_named(&[Setter(1), NamedRefresher(1)]),
    ];
    scenarios.iter().for_each(assert_complete);
}
