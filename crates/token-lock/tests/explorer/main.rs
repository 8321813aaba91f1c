//! Explores the crate's real code over simulated Redis servers: all interleavings of a few clients that acquire, extend
//! and release, with locks that expire and clients that die or are paused at every point, and random ones of more.
//!
//! - Invariant 5: no release or extension ever touches another holder's lock.
//! - Invariant 6: numbers only grow, whatever is evicted or lost; a grant's is greater than those before it.
//! - No two clients trust the lock at the same time, and nobody trusts it longer than the server keeps it.
//! - A release says that it removed the lock if and only if it did.
//!
//! For each known way to break the protocol a deliberately weakened variant is caught by the same search.

mod caught;
mod checks;
mod execution;
mod random;
mod redis;
mod simulated;
mod step;
mod tasks;
mod weakness;
mod world;

use execution::{Execution, Faults, Scenario, story};
use interleavings::explore;
use redis::Flavour;
use tasks::Role::{Brief, Holder};
use world::Rules;

const RULES: Rules = Rules { servers: &[Flavour::Plain], weakness: None, locks_may_vanish: false };
const NONE: Faults = Faults { half_ttls: 0, ttls: 0, delays: 0, evictions: 0, flushes: 0, downgrades: 0 };
/// Enough for a lock to end, and for half of the next one.
const EXPIRY: Faults = Faults { half_ttls: 3, ..NONE };

fn scenario(roles: &[tasks::Role], warm: bool, faults: Faults) -> Scenario {
    Scenario { roles: roles.to_vec(), warm, faults, rules: RULES }
}

/// One server.
const VALKEY_9: &[Flavour] = &[Flavour::Valkey9];
const REDIS_8_4: &[Flavour] = &[Flavour::Redis84];
/// Three, which are alike, or not.
const PLAIN: &[Flavour] = &[Flavour::Plain; 3];
const SINGLE_COMMANDS: &[Flavour] = &[Flavour::Valkey9; 3];
const MIXED: &[Flavour] = &[Flavour::Plain, Flavour::Redis84, Flavour::Valkey9];

fn on(servers: &'static [Flavour], scenario: Scenario) -> Scenario {
    Scenario { rules: Rules { servers, ..scenario.rules }, ..scenario }
}

fn vanishing(scenario: Scenario) -> Scenario {
    Scenario { rules: Rules { locks_may_vanish: true, ..scenario.rules }, ..scenario }
}

fn holds(name: &str, scenario: &Scenario) {
    let report = explore(|| Execution::new(scenario));
    println!("{name}: {} states, {} steps", report.states, report.steps);
    if let Some((what, path)) = report.violation {
        panic!("{name}: {what}\n{}", story(scenario, &path));
    }
    assert!(report.states > 100, "{name} explores next to nothing");
}

#[test]
fn three_clients_whose_locks_expire() {
    holds("expiry", &scenario(&[Holder(1), Holder(1), Holder(1)], true, EXPIRY));
}

#[test]
fn answers_that_are_late() {
    let faults = Faults { delays: 1, ..EXPIRY };
    holds("late answers", &scenario(&[Holder(1), Holder(1)], true, faults));
}

#[test]
fn three_clients_with_single_commands_of_valkey() {
    let faults = Faults { delays: 1, ..EXPIRY };
    holds("Valkey 9", &on(VALKEY_9, scenario(&[Holder(1), Holder(1), Holder(1)], true, faults)));
}

#[test]
fn three_clients_with_single_commands_of_redis() {
    let faults = Faults { delays: 1, ..EXPIRY };
    holds("Redis 8.4", &on(REDIS_8_4, scenario(&[Holder(1), Holder(1), Holder(1)], true, faults)));
}

#[test]
fn a_server_that_is_replaced_by_one_that_knows_less() {
    let faults = Faults { downgrades: 1, delays: 1, half_ttls: 2, ..NONE };
    for servers in [VALKEY_9, REDIS_8_4] {
        holds("downgrade", &on(servers, scenario(&[Holder(1), Holder(2)], true, faults)));
    }
}

#[test]
fn a_counter_that_starts() {
    let faults = Faults { ttls: 1, ..NONE };
    holds("cold counter", &on(VALKEY_9, scenario(&[Brief(1), Brief(1), Brief(1)], false, faults)));
}

#[test]
fn a_counter_that_is_evicted() {
    let faults = Faults { ttls: 1, evictions: 1, ..NONE };
    holds("evicted counter", &on(VALKEY_9, scenario(&[Brief(1), Brief(1)], false, faults)));
}

#[test]
fn a_redis_that_comes_back_empty_while_locks_are_held() {
    let faults = Faults { flushes: 1, ..NONE };
    holds("flush", &vanishing(scenario(&[Brief(1), Brief(1)], true, faults)));
}
