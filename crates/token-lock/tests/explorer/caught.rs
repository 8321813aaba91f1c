//! Proves that the search can fail: it catches each weakened variant.

use interleavings::explore;

use crate::execution::{Execution, Faults, Scenario};
use crate::tasks::Role::{Brief, Holder};
use crate::weakness::Weakness;
use crate::world::Rules;
use crate::{EXPIRY, NONE, REDIS_8_4, SINGLE_COMMANDS, VALKEY_9, on, scenario};

fn weakened(scenario: Scenario, weakness: Weakness) -> Scenario {
    Scenario { rules: Rules { weakness: Some(weakness), ..scenario.rules }, ..scenario }
}

fn assert_caught(scenario: &Scenario) {
    let report = explore(|| Execution::new(scenario));
    let Some((what, path)) = report.violation else {
        panic!("the search did not catch {:?} in {} states", scenario.rules.weakness, report.states);
    };
    println!("{:?}: {what}, after {} steps", scenario.rules.weakness, path.len());
}

#[test]
fn release_by_get_and_del_is_caught() {
    assert_caught(&weakened(scenario(&[Brief(1), Brief(1)], true, EXPIRY), Weakness::ReleasedWithoutWatch));
}

#[test]
fn a_watch_that_arrives_after_multi_is_caught() {
    assert_caught(&weakened(scenario(&[Holder(1), Brief(1)], true, EXPIRY), Weakness::WatchAfterMulti));
}

#[test]
fn a_bare_delex_is_caught() {
    let locks = on(REDIS_8_4, scenario(&[Brief(1), Brief(1)], true, EXPIRY));
    assert_caught(&weakened(locks, Weakness::BareDelex));
}

#[test]
fn deleting_without_comparing_is_caught() {
    let locks = on(VALKEY_9, scenario(&[Brief(1), Brief(1)], true, EXPIRY));
    assert_caught(&weakened(locks, Weakness::ReleasedWithoutComparing));
}

#[test]
fn a_fencing_number_drawn_before_the_lock_is_caught() {
    assert_caught(&weakened(scenario(&[Brief(1), Brief(1)], true, NONE), Weakness::NumberBeforeLock));
}

#[test]
fn a_lost_counter_that_starts_from_the_same_number_is_caught() {
    let faults = Faults { evictions: 1, ..NONE };
    assert_caught(&weakened(scenario(&[Brief(1), Brief(1)], false, faults), Weakness::CounterStartsFromSameNumber));
}

#[test]
fn a_counter_that_starts_without_watch_is_caught() {
    assert_caught(&weakened(scenario(&[Brief(1), Brief(1)], false, EXPIRY), Weakness::CounterWithoutWatch));
}

#[test]
fn a_clock_read_before_watch_is_caught() {
    let faults = Faults { ttls: 1, evictions: 1, ..NONE };
    assert_caught(&weakened(scenario(&[Brief(1), Brief(1)], false, faults), Weakness::ClockBeforeWatch));
}

#[test]
fn counters_that_are_not_raised_are_caught() {
    assert_caught(&weakened(
        on(SINGLE_COMMANDS, scenario(&[Brief(1), Brief(1)], true, NONE)),
        Weakness::CountersNotRaised,
    ));
}

/// Two clients raise a counter at the same time, because the lock of one has ended.
#[test]
fn counters_that_are_raised_without_watch_are_caught() {
    let faults = Faults { ttls: 1, ..NONE };
    assert_caught(&weakened(
        on(&SINGLE_COMMANDS[..2], scenario(&[Brief(1), Brief(1)], true, faults)),
        Weakness::CounterWithoutWatch,
    ));
}

#[test]
fn ignoring_the_time_of_a_late_reply_is_caught() {
    let faults = Faults { half_ttls: 2, delays: 1, ..NONE };
    assert_caught(&weakened(scenario(&[Brief(1), Brief(1)], true, faults), Weakness::TtlIgnored));
}
