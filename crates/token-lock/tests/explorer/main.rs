//! Explores the crate's real code over simulated Redis servers: all interleavings of a few clients that acquire, extend
//! and release, and random interleavings of more clients. Locks expire and clients die or are paused at every point.
//!
//! - Invariant 5: no release or extension ever changes another holder's lock.
//! - Invariant 6: fencing numbers only grow, even if counters are evicted or lost.
//! - No two clients trust the lock at the same time, and no client trusts it longer than the servers keep it.
//! - A release reports that it removed the lock if and only if it did.
//!
//! For each known way to break the protocol, the same search must catch a deliberately weakened variant.

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

use execution::{Execution, Faults, Scenario, log_of};
use interleavings::explore;
use redis::ServerKind;
use tasks::Role::{Brief, Holder};
use world::Rules;

const RULES: Rules = Rules { servers: &[ServerKind::Plain], weakness: None, locks_may_be_lost: false };
const NONE: Faults = Faults { half_ttls: 0, ttls: 0, delays: 0, evictions: 0, flushes: 0, downgrades: 0 };
/// Enough time for one lock to expire, and for half of the next one.
const EXPIRY: Faults = Faults { half_ttls: 3, ..NONE };

fn scenario(roles: &[tasks::Role], warm: bool, faults: Faults) -> Scenario {
    Scenario { roles: roles.to_vec(), warm, faults, rules: RULES }
}

/// One server.
const VALKEY_9: &[ServerKind] = &[ServerKind::Valkey9];
const REDIS_8_4: &[ServerKind] = &[ServerKind::Redis84];
/// Three servers, equal or different.
const PLAIN: &[ServerKind] = &[ServerKind::Plain; 3];
const SINGLE_COMMANDS: &[ServerKind] = &[ServerKind::Valkey9; 3];
const MIXED: &[ServerKind] = &[ServerKind::Plain, ServerKind::Redis84, ServerKind::Valkey9];

fn on(servers: &'static [ServerKind], scenario: Scenario) -> Scenario {
    Scenario { rules: Rules { servers, ..scenario.rules }, ..scenario }
}

fn losing_locks(scenario: Scenario) -> Scenario {
    Scenario { rules: Rules { locks_may_be_lost: true, ..scenario.rules }, ..scenario }
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
fn three_clients_and_locks_that_expire() {
    assert_holds("expiry", &scenario(&[Holder(1), Holder(1), Holder(1)], true, EXPIRY));
}

#[test]
fn late_replies() {
    let faults = Faults { delays: 1, ..EXPIRY };
    assert_holds("late replies", &scenario(&[Holder(1), Holder(1)], true, faults));
}

#[test]
fn three_clients_with_single_commands_of_valkey() {
    let faults = Faults { delays: 1, ..EXPIRY };
    assert_holds("Valkey 9", &on(VALKEY_9, scenario(&[Holder(1), Holder(1), Holder(1)], true, faults)));
}

#[test]
fn three_clients_with_single_commands_of_redis() {
    let faults = Faults { delays: 1, ..EXPIRY };
    assert_holds("Redis 8.4", &on(REDIS_8_4, scenario(&[Holder(1), Holder(1), Holder(1)], true, faults)));
}

#[test]
fn a_server_replaced_by_an_older_one() {
    let faults = Faults { downgrades: 1, delays: 1, half_ttls: 2, ..NONE };
    for servers in [VALKEY_9, REDIS_8_4] {
        assert_holds("downgrade", &on(servers, scenario(&[Holder(1), Holder(1)], true, faults)));
    }
}

#[test]
#[ignore = "takes minutes: see CONTRIBUTING.md, Explore interleavings"]
fn a_server_replaced_by_an_older_one_while_a_client_holds_twice() {
    let faults = Faults { downgrades: 1, delays: 1, half_ttls: 2, ..NONE };
    for servers in [VALKEY_9, REDIS_8_4] {
        assert_holds("downgrade", &on(servers, scenario(&[Holder(1), Holder(2)], true, faults)));
    }
}

#[test]
fn a_counter_that_does_not_exist_yet() {
    let faults = Faults { ttls: 1, ..NONE };
    assert_holds("cold counter", &on(VALKEY_9, scenario(&[Brief(1), Brief(1)], false, faults)));
}

#[test]
#[ignore = "takes minutes: see CONTRIBUTING.md, Explore interleavings"]
fn a_counter_that_does_not_exist_yet_with_three_clients() {
    let faults = Faults { ttls: 1, ..NONE };
    assert_holds("cold counter", &on(VALKEY_9, scenario(&[Brief(1), Brief(1), Brief(1)], false, faults)));
}

#[test]
fn a_counter_that_is_evicted() {
    let faults = Faults { evictions: 1, ..NONE };
    assert_holds("evicted counter", &on(VALKEY_9, scenario(&[Brief(1), Brief(1)], false, faults)));
}

#[test]
#[ignore = "takes minutes: see CONTRIBUTING.md, Explore interleavings"]
fn a_counter_that_is_evicted_while_locks_expire() {
    let faults = Faults { ttls: 1, evictions: 1, ..NONE };
    assert_holds("evicted counter", &on(VALKEY_9, scenario(&[Brief(1), Brief(1)], false, faults)));
}

/// A client whose lock has ended and the next holder raise the same counter.
#[test]
fn counters_of_two_servers_that_two_clients_raise() {
    let faults = Faults { ttls: 1, ..NONE };
    assert_holds("two servers", &on(&SINGLE_COMMANDS[..2], scenario(&[Brief(1), Brief(1)], true, faults)));
}

#[test]
fn a_redis_that_comes_back_empty_while_locks_are_held() {
    let faults = Faults { flushes: 1, ..NONE };
    assert_holds("flush", &losing_locks(scenario(&[Brief(1), Brief(1)], true, faults)));
}
