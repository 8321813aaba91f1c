//! Explores the crate's real code over a simulated Redis: all interleavings of a few instances that count requests of
//! the same client, and random interleavings of more instances. Counters expire or are evicted, replies are lost,
//! commands arrive late, and instances die at every point.
//!
//! - No counter is ever without an expiry.
//! - No more requests are allowed in a window than the policy says, unless a counter was lost.
//! - Refused requests use no quota.
//!
//! For each known way to break the protocol, the same search must catch a deliberately weakened variant.

mod caught;
mod execution;
mod random;
mod redis;
mod simulated;
mod step;
mod tasks;
mod weakness;
mod world;

use execution::{Execution, Faults, Scenario, log_of};
use interleavings::explore;
use world::Rules;

const RULES: Rules = Rules { has_increx: false, limit: 2, previous: 0, weakness: None, loses_everywhere: false };
const NONE: Faults = Faults { losses: 0, delays: 0, evictions: 0, windows: 0, ttls: 0 };

fn scenario(requests: &[u32], faults: Faults) -> Scenario {
    Scenario { requests: requests.to_vec(), faults, rules: RULES }
}

fn with(rules: Rules, scenario: Scenario) -> Scenario {
    Scenario { rules, ..scenario }
}

fn assert_holds(name: &str, scenario: &Scenario) {
    let report = explore(|| Execution::new(scenario));
    println!("{name}: {} states, {} steps", report.states, report.steps);
    if let Some((what, path)) = report.violation {
        panic!("{name}: {what}\n{}", log_of(scenario, &path));
    }
    assert!(report.states > 100, "{name} explores almost nothing");
}

#[test]
fn three_instances_in_one_window() {
    assert_holds("one window", &scenario(&[1, 1, 1], Faults { delays: 1, ..NONE }));
}

#[test]
fn several_requests_and_a_window_before() {
    let rules = Rules { previous: 1, limit: 3, ..RULES };
    assert_holds("a window before", &with(rules, scenario(&[2, 2], Faults { delays: 1, ..NONE })));
}

#[test]
fn lost_replies_and_late_commands() {
    assert_holds("lost", &scenario(&[1, 1, 1], Faults { losses: 1, ..NONE }));
    let rules = Rules { limit: 1, loses_everywhere: true, ..RULES };
    assert_holds("lost in transactions", &with(rules, scenario(&[2, 1], Faults { losses: 2, ..NONE })));
}

#[test]
fn counters_that_expire_or_are_evicted_while_commands_are_on_the_way() {
    let rules = Rules { limit: 1, ..RULES };
    let evicted = Faults { losses: 1, evictions: 1, ..NONE };
    assert_holds("eviction", &with(rules, scenario(&[1, 1], evicted)));
    let expired = Faults { losses: 1, ttls: 1, ..NONE };
    assert_holds("expiry", &with(rules, scenario(&[1, 1], expired)));
    let both = Faults { evictions: 1, ttls: 1, ..NONE };
    assert_holds("expiry and eviction", &with(rules, scenario(&[1, 1], both)));
}

#[test]
fn the_next_window() {
    let rules = Rules { limit: 1, ..RULES };
    assert_holds("windows", &with(rules, scenario(&[2, 1], Faults { windows: 1, ..NONE })));
    assert_holds("windows and losses", &with(rules, scenario(&[1, 1], Faults { windows: 1, losses: 1, ..NONE })));
}

#[test]
fn a_server_with_increx() {
    let rules = Rules { has_increx: true, previous: 1, limit: 3, ..RULES };
    assert_holds("INCREX", &with(rules, scenario(&[2, 2, 2], Faults { delays: 1, ..NONE })));
    let rules = Rules { limit: 1, ..rules };
    for faults in [
        Faults { losses: 1, windows: 1, ..NONE },
        Faults { losses: 1, evictions: 1, ..NONE },
        Faults { losses: 1, ttls: 1, ..NONE },
    ] {
        assert_holds("INCREX with faults", &with(rules, scenario(&[2, 1], faults)));
    }
}
