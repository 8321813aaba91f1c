//! Proves that the search can fail: it catches each weakened variant.

use interleavings::explore;

use crate::execution::{Execution, Faults, Scenario};
use crate::weakness::Weakness;
use crate::world::Rules;
use crate::{NONE, RULES, scenario, with};

fn assert_caught(weakness: Weakness, scenario: Scenario) -> String {
    let weakened = with(Rules { weakness: Some(weakness), ..scenario.rules }, scenario);
    let report = explore(|| Execution::new(&weakened));
    let Some((what, path)) = report.violation else {
        panic!("the search did not catch {weakness:?} in {} states", report.states);
    };
    println!("{weakness:?}: {what}, after {} steps", path.len());
    what
}

fn assert_no_expiry(weakness: Weakness, scenario: Scenario) {
    let what = assert_caught(weakness, scenario);
    assert!(what.contains("has no expiry"), "{what}");
}

/// A counter was lost between two commands.
const LOST: Faults = Faults { evictions: 1, ttls: 1, ..NONE };
const FULL: Rules = Rules { limit: 1, ..RULES };
const INCREX: Rules = Rules { has_increx: true, ..FULL };

#[test]
fn incr_and_then_pexpire_is_caught() {
    assert_no_expiry(Weakness::IncrThenPexpire, scenario(&[1, 1], NONE));
}

#[test]
fn zadd_incr_without_xx_is_caught() {
    assert_no_expiry(Weakness::CountedWithoutXx, scenario(&[1, 1], NONE));
}

#[test]
fn a_subtraction_without_xx_is_caught() {
    assert_no_expiry(Weakness::SubtractedWithoutXx, with(FULL, scenario(&[1, 1], LOST)));
}

#[test]
fn pexpire_before_zadd_is_caught() {
    assert_no_expiry(Weakness::PexpireBeforeZadd, scenario(&[1, 1], NONE));
}

#[test]
fn a_comparison_before_the_increment_is_caught() {
    assert_caught(Weakness::ComparedBeforeCounted, scenario(&[1, 1, 1], NONE));
}

#[test]
fn a_subtraction_that_is_sent_twice_is_caught() {
    assert_caught(Weakness::SubtractedTwice, with(FULL, scenario(&[1, 1, 1], NONE)));
}

#[test]
fn an_increx_that_subtracts_without_a_lower_bound_is_caught() {
    let rules = Rules { previous: 1, ..INCREX };
    assert_no_expiry(Weakness::SubtractedWithoutBound, with(rules, scenario(&[1, 1], LOST)));
}

#[test]
fn an_increx_without_an_upper_bound_is_caught() {
    assert_caught(Weakness::CountedWithoutBound, with(INCREX, scenario(&[1, 1], NONE)));
}
