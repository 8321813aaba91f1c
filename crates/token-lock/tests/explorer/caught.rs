//! That the search can fail: each weakened variant is caught.

use interleavings::explore;

use crate::execution::{Execution, Faults, Scenario};
use crate::tasks::Role::{Brief, Holder};
use crate::weakness::Weakness;
use crate::world::Rules;
use crate::{EXPIRY, NONE, REDIS_8_4, SINGLE_COMMANDS, VALKEY_9, on, scenario};

fn weakened(scenario: Scenario, weakness: Weakness) -> Scenario {
    Scenario { rules: Rules { weakness: Some(weakness), ..scenario.rules }, ..scenario }
}

fn is_caught(scenario: &Scenario) {
    let report = explore(|| Execution::new(scenario));
    let Some((what, path)) = report.violation else {
        panic!("{:?} was not caught in {} states", scenario.rules.weakness, report.states);
    };
    println!("{:?}: {what}, after {} steps", scenario.rules.weakness, path.len());
}

#[test]
fn release_by_get_and_del_is_caught() {
    is_caught(&weakened(scenario(&[Brief(1), Brief(1)], true, EXPIRY), Weakness::ReleasedWithoutWatch));
}

#[test]
fn a_watch_that_comes_after_multi_is_caught() {
    is_caught(&weakened(scenario(&[Holder(1), Brief(1)], true, EXPIRY), Weakness::WatchedTooLate));
}

#[test]
fn a_bare_delex_is_caught() {
    let locks = on(REDIS_8_4, scenario(&[Brief(1), Brief(1)], true, EXPIRY));
    is_caught(&weakened(locks, Weakness::BareDelex));
}

#[test]
fn deleting_by_key_is_caught() {
    let locks = on(VALKEY_9, scenario(&[Brief(1), Brief(1)], true, EXPIRY));
    is_caught(&weakened(locks, Weakness::ReleasedByKey));
}

#[test]
fn a_number_drawn_before_the_lock_is_taken_is_caught() {
    is_caught(&weakened(scenario(&[Brief(1), Brief(1)], true, NONE), Weakness::NumberBeforeLock));
}

#[test]
fn a_counter_that_starts_again_from_the_same_number_is_caught() {
    let faults = Faults { evictions: 1, ..NONE };
    is_caught(&weakened(scenario(&[Brief(1), Brief(1)], false, faults), Weakness::CounterStartsAgain));
}

#[test]
fn a_counter_that_is_set_unwatched_is_caught() {
    is_caught(&weakened(scenario(&[Brief(1), Brief(1)], false, EXPIRY), Weakness::CounterWithoutWatch));
}

#[test]
fn a_clock_that_is_read_before_the_counter_is_watched_is_caught() {
    let faults = Faults { ttls: 1, evictions: 1, ..NONE };
    is_caught(&weakened(scenario(&[Brief(1), Brief(1)], false, faults), Weakness::ClockBeforeWatch));
}

#[test]
fn numbers_that_differ_between_servers_are_caught() {
    is_caught(&weakened(on(SINGLE_COMMANDS, scenario(&[Brief(1), Brief(1)], true, NONE)), Weakness::NumbersDiffer));
}

#[test]
fn a_ttl_that_is_not_counted_is_caught() {
    let faults = Faults { half_ttls: 2, delays: 1, ..NONE };
    is_caught(&weakened(scenario(&[Brief(1), Brief(1)], true, faults), Weakness::TtlIgnored));
}
