//! Explores the crate's real code over a simulated Redis and database: all interleavings of a few requests, with
//! crashes and evictions at every point and with lost commands and replies; and random interleavings of more requests.
//!
//! - A read never returns a value older than what was committed before the read began.
//! - It never returns a value that was removed before it began (by key, or with its module, operation or user).
//! - It returns the value that was set before, unless that may have been removed or evicted since.
//! - A check of a hit never calls an entry stale, unless the row was changed without the protocol.
//!
//! For each known way to break the protocol there is a weakened variant, and the same search must catch it.

mod execution;
mod footprints;
mod promises;
mod random;
mod redis;
mod simulated;
mod step;
mod tasks;
mod weakness;
mod world;

use std::time::Instant;

use execution::{Execution, Faults, Scenario, story};
use interleavings::explore;
use tasks::Means;
use tasks::Role::{
    BatchReader, CheckingReader, Creator, GuardedReader, NamedReader, NamedRefresher, Outsider, PageReader, PageWriter,
    Reader, Refresher, Setter, SlowReader, UsersReader, Writer,
};
use versioned_cache::{Settings, WritePolicy};
use weakness::Weakness;
use world::Rules;

/// No request waits for the fill of another, so every state is reached without time passing.
const NO_WAITING: Settings = Settings {
    enabled: true,
    timeout_ms: 100,
    breaker_ms: 500,
    write_policy: WritePolicy::Available,
    mark_ms: 30_000,
    lease_ms: 1_000,
    fill_wait_ms: 0,
    patience_ms: 0,
    verify_ratio: 0.0,
    grace_ms: 0,
    soft_timeout_ms: 0,
    refresh_ahead: 0.0,
    compress_min_bytes: 0,
};

/// One key is evicted at any time. (Requests may die at any step in all scenarios: see [`Faults`].)
const EVICTION: Faults =
    Faults { evictions: 1, ends_of_marks: 0, cancellations: 0, flushes: 0, losses: 0, failed_selects: 0 };
/// Writers die mid-write, and their marks expire at any time later.
const END_OF_MARKS: Faults = Faults { ends_of_marks: 1, evictions: 0, ..EVICTION };
const BOTH: Faults = Faults { ends_of_marks: 1, ..EVICTION };

fn scenario(roles: &[tasks::Role], warm: bool, faults: Faults) -> Scenario {
    Scenario {
        roles: roles.to_vec(),
        shared_instance: false,
        warm,
        outdated: false,
        ended: false,
        faults,
        rules: Rules { eager: true, ..Rules::default() },
        settings: NO_WAITING,
    }
}

fn weakened(scenario: Scenario, weakness: Weakness) -> Scenario {
    Scenario { rules: Rules { weakness: Some(weakness), ..scenario.rules }, ..scenario }
}

fn holds(name: &str, scenario: &Scenario) {
    let begin = Instant::now();
    let report = explore(|| Execution::new(scenario));
    println!("{name}: {} states, {} steps, {:.1} s", report.states, report.steps, begin.elapsed().as_secs_f64());
    if let Some((what, path)) = report.violation {
        panic!("{name}: {what}\n{}", story(scenario, &path));
    }
    assert!(report.states > 100, "{name} explores almost nothing");
}

/// Returns what was caught.
fn is_caught(scenario: &Scenario) -> String {
    let report = explore(|| Execution::new(scenario));
    let Some((what, path)) = report.violation else {
        panic!("{:?} was not caught in {} states", scenario.rules.weakness, report.states);
    };
    println!("{:?}: {what}, after {} steps", scenario.rules.weakness, path.len());
    what
}

#[test]
fn writers_and_readers_on_a_warm_cache_with_an_eviction() {
    holds("warm, two readers", &scenario(&[Writer(1), Reader(1), Reader(1)], true, EVICTION));
    holds("warm, two writers", &scenario(&[Writer(1), Writer(1), Reader(1)], true, EVICTION));
    holds("warm, no eviction", &scenario(&[Writer(1), Writer(1), Reader(1), Reader(1)], true, Faults::default()));
}

#[test]
#[ignore = "takes minutes: see CONTRIBUTING.md, Explore interleavings"]
fn two_writers_two_readers_on_a_warm_cache_with_an_eviction() {
    holds("warm", &scenario(&[Writer(1), Writer(1), Reader(1), Reader(1)], true, EVICTION));
}

#[test]
fn a_writer_and_two_readers_on_a_cold_cache_with_an_eviction() {
    holds("cold", &scenario(&[Writer(1), Reader(1), Reader(1)], false, EVICTION));
}

#[test]
fn two_writers_that_die_and_two_readers() {
    holds("deaths", &scenario(&[Writer(1), Writer(1), Reader(1), Reader(1)], true, END_OF_MARKS));
}

/// A follower that joins a fill after a write must not get a value that the fill read before that write was committed.
/// The random walks found this when fills were shared although a write was in flight.
#[test]
fn requests_that_share_an_instance_and_wait_for_its_fills() {
    holds("shared instance, no fault", &waiting(Faults::default(), 2));
}

#[test]
#[ignore = "takes minutes: see CONTRIBUTING.md, Explore interleavings"]
fn requests_that_share_an_instance_and_wait_longer_with_all_faults() {
    holds("shared instance", &waiting(Faults { cancellations: 1, ..BOTH }, 4));
}

fn waiting(faults: Faults, fill_wait_ms: u64) -> Scenario {
    let mut shared = scenario(&[Writer(1), Reader(1), Reader(1)], true, faults);
    shared.shared_instance = true;
    shared.settings.fill_wait_ms = fill_wait_ms;
    shared
}

/// Readers of one page on one instance, which wait for one another.
fn sharing(faults: Faults) -> Scenario {
    let mut shared = scenario(&[PageWriter, PageReader(1), PageReader(1)], true, faults);
    shared.shared_instance = true;
    shared.settings.fill_wait_ms = 2;
    shared
}

#[test]
fn requests_for_a_page_share_reads_that_start_after_them() {
    holds("pages", &sharing(Faults::default()));
}

#[test]
#[ignore = "takes minutes: see CONTRIBUTING.md, Explore interleavings"]
fn requests_for_a_page_share_reads_with_an_eviction_or_a_cancelled_reader() {
    holds("pages, an eviction", &sharing(EVICTION));
    holds("pages, a cancelled reader", &sharing(Faults { cancellations: 1, ..Faults::default() }));
}

#[test]
fn requests_for_a_page_that_join_a_read_under_way_are_caught() {
    // The search lets the first task go first. So it soon comes to a reader that is filling when the others begin.
    let roles = vec![PageReader(1), PageWriter, PageReader(1)];
    let cold = Scenario { roles, warm: false, ..sharing(Faults::default()) };
    is_caught(&weakened(cold, Weakness::ReadsUnderWayAreShared));
}

#[test]
fn a_create_after_a_cached_absence() {
    holds("create", &scenario(&[Creator, GuardedReader, GuardedReader], false, EVICTION));
}

#[test]
fn batches_and_single_reads_together() {
    holds("batch", &scenario(&[Writer(1), BatchReader(1), Reader(1)], true, BOTH));
}

#[test]
fn acknowledged_writes_survive_a_flush_mid_write() {
    let mut flushed = scenario(&[Writer(1), Reader(1), Reader(1)], true, Faults { flushes: 1, ..Faults::default() });
    flushed.rules.acknowledged_only = true;
    holds("flush", &flushed);
}

/// A row is changed without the protocol, then an invalidation follows: what is read after it is at least as new.
fn invalidated(roles: &[tasks::Role]) -> Scenario {
    let mut scenario = scenario(roles, true, EVICTION);
    scenario.rules.acknowledged_only = true;
    scenario.rules.evict_generations = true;
    scenario
}

#[test]
fn invalidation_of_a_module_an_operation_a_user_or_everything() {
    for means in [Means::Module, Means::Operation, Means::User, Means::Clear] {
        holds(&format!("{means:?}"), &invalidated(&[Outsider(means), Reader(1), Reader(1)]));
    }
    holds("module and writer", &invalidated(&[Outsider(Means::Module), Writer(1), Reader(1)]));
}

#[test]
fn invalidation_of_named_entries() {
    use Means::{Clear, Delete, Matching, NamedModule, NamedOperation, Set};
    for means in [NamedModule, NamedOperation, Matching, Delete, Set, Clear] {
        holds(&format!("named, {means:?}"), &invalidated(&[Outsider(means), NamedReader(1), NamedReader(1)]));
    }
    holds("user's, by user", &invalidated(&[Outsider(Means::User), UsersReader(1), UsersReader(1)]));
    holds("two at once", &invalidated(&[Outsider(NamedModule), Outsider(NamedModule), NamedReader(1)]));
}

/// An invalidated entry is still in Redis when it is set and read at the same time.
fn set_during_reads(setter: tasks::Role, faults: Faults) -> Scenario {
    let mut scenario = Scenario { outdated: true, ..scenario(&[setter, NamedReader(1), NamedReader(1)], true, faults) };
    scenario.rules.acknowledged_only = true;
    scenario
}

#[test]
fn a_set_value_is_not_replaced_by_a_fetch_after_an_invalidation() {
    holds("set during reads", &set_during_reads(Setter(1), Faults::default()));
    holds("set during reads with an eviction", &set_during_reads(Setter(1), EVICTION));
    for means in [Means::NamedModule, Means::Delete] {
        let roles = [Outsider(means), Setter(1), NamedReader(1)];
        holds(&format!("set during {means:?}"), &Scenario { outdated: true, ..lossy(&roles, 0) });
    }
}

#[test]
fn replacing_outdated_entries_without_a_watch_is_caught() {
    is_caught(&weakened(set_during_reads(Setter(1), Faults::default()), Weakness::ReplacedWithoutWatch));
}

/// Commands are lost, or take effect without a reply.
fn lossy(roles: &[tasks::Role], losses: u32) -> Scenario {
    let mut scenario = scenario(roles, true, Faults { losses, ..Faults::default() });
    scenario.rules.acknowledged_only = true;
    scenario
}

#[test]
fn writes_that_lose_replies() {
    holds("lossy writes", &lossy(&[Writer(1), Reader(1), Reader(1)], 2));
    let mut consistent = lossy(&[Writer(1), Writer(1), Reader(1)], 1);
    consistent.settings.write_policy = WritePolicy::Consistent;
    holds("lossy consistent writes", &consistent);
}

#[test]
fn sets_and_invalidations_that_lose_replies() {
    use Means::{Delete, Matching, NamedModule, NamedOperation};
    for means in [NamedModule, NamedOperation, Matching, Delete] {
        holds(&format!("lossy set, {means:?}"), &lossy(&[Outsider(means), Setter(1), NamedReader(1)], 2));
    }
    holds("lossy user's, by user", &lossy(&[Outsider(Means::User), UsersReader(1), UsersReader(1)], 2));
    let mut retrying = lossy(&[Outsider(NamedModule), Setter(1), NamedReader(1)], 1);
    retrying.settings.patience_ms = 60;
    holds("lossy with retries", &retrying);
}

/// Each hit of a checking reader is checked.
fn checked(roles: &[tasks::Role], warm: bool, faults: Faults) -> Scenario {
    let scenario = scenario(roles, warm, faults);
    Scenario { settings: Settings { verify_ratio: 1.0, ..scenario.settings }, ..scenario }
}

#[test]
fn checks_beside_writers_raise_no_false_alarm() {
    let faults = Faults { cancellations: 1, ..BOTH };
    holds("checks", &checked(&[Writer(1), CheckingReader(1)], true, faults));
    holds("checks, two writers", &checked(&[Writer(1), Writer(1), CheckingReader(1)], true, Faults::default()));
    holds("checks, a filler", &checked(&[Writer(1), Reader(1), CheckingReader(1)], true, EVICTION));
    holds("checks, a create", &checked(&[Creator, CheckingReader(2)], false, EVICTION));
}

#[test]
fn a_row_that_is_changed_without_the_protocol_is_found() {
    let mut scenario = checked(&[Outsider(Means::Nothing), CheckingReader(1)], true, Faults::default());
    scenario.rules.acknowledged_only = true;
    let what = is_caught(&scenario);
    assert!(what.contains("calls an entry stale"), "{what}");
}

#[test]
fn checks_that_do_not_read_the_versions_again_are_caught() {
    let weak = Weakness::VersionsAreNotReadAgain;
    let what = is_caught(&weakened(checked(&[Writer(1), CheckingReader(1)], true, Faults::default()), weak));
    assert!(what.contains("calls an entry stale"), "{what}");
}

/// Versions end, too. No request dies here: then a version may live longer or shorter, which does no harm.
fn with_ttls(roles: &[tasks::Role], warm: bool, faults: Faults) -> Scenario {
    let mut scenario = scenario(roles, warm, faults);
    scenario.rules.ttls = true;
    scenario.rules.acknowledged_only = true;
    scenario
}

#[test]
fn versions_end_after_the_entries_that_depend_on_them() {
    holds("TTLs, scoped", &with_ttls(&[Writer(1), Reader(1)], false, Faults::default()));
    holds("TTLs, named", &with_ttls(&[Setter(1), NamedReader(1)], false, Faults::default()));
    holds("TTLs, a module", &with_ttls(&[Outsider(Means::NamedModule), Setter(1)], true, Faults::default()));
}

#[test]
fn versions_that_end_too_early_or_never_are_caught() {
    let set = with_ttls(&[Setter(1), NamedReader(1)], false, Faults::default());
    let what = is_caught(&weakened(set.clone(), Weakness::GenerationsAreNotKept));
    assert!(what.contains("ends before"), "{what}");
    // The row does not exist: the reader stores an absence, which lives shorter than a value that is set.
    let what = is_caught(&weakened(set, Weakness::VersionsAreShortened));
    assert!(what.contains("ends before"), "{what}");
    // A set gives its version an end in any case, so this reader is alone.
    let read = with_ttls(&[NamedReader(1)], false, Faults::default());
    let what = is_caught(&weakened(read, Weakness::VersionsHaveNoEnd));
    assert!(what.contains("has no end"), "{what}");
}

/// The entry has ended and is kept for grace. The source may fail. All requests share an instance, so they have hints.
fn in_grace(roles: &[tasks::Role], faults: Faults) -> Scenario {
    let scenario = scenario(roles, true, Faults { failed_selects: 1, ..faults });
    let settings = Settings { grace_ms: 3_600_000, ..scenario.settings };
    Scenario { ended: true, shared_instance: true, settings, ..scenario }
}

#[test]
fn values_in_grace_are_as_new_as_the_last_write() {
    holds("grace", &in_grace(&[Writer(1), Reader(1)], BOTH));
    holds("grace, two readers", &in_grace(&[Writer(1), Reader(1), Reader(1)], Faults::default()));
    holds("grace, a batch", &in_grace(&[Writer(1), BatchReader(1)], EVICTION));
    let mut slow = in_grace(&[Writer(1), SlowReader(1)], EVICTION);
    slow.settings.soft_timeout_ms = 50;
    // Then the first work that the reader spawns is the sender of counters.
    slow.shared_instance = false;
    holds("grace, a slow source", &slow);
    let mut invalidated = in_grace(&[Outsider(Means::NamedModule), NamedReader(1)], EVICTION);
    invalidated.rules.acknowledged_only = true;
    holds("grace, named", &invalidated);
    let mut set = in_grace(&[Setter(1), NamedReader(1), NamedReader(1)], Faults::default());
    set.rules.acknowledged_only = true;
    holds("grace, a set", &set);
}

#[test]
fn values_in_grace_that_are_outdated_are_caught() {
    let what =
        is_caught(&weakened(in_grace(&[Writer(1), Reader(1)], Faults::default()), Weakness::GraceIgnoresVersions));
    assert!(what.contains("was there before it began"), "{what}");
}

/// Each hit refreshes its entry.
fn refreshing(roles: &[tasks::Role], faults: Faults) -> Scenario {
    let scenario = scenario(roles, true, faults);
    Scenario { settings: Settings { refresh_ahead: 1e12, ..scenario.settings }, ..scenario }
}

/// Clients set the entry that is refreshed.
fn refreshing_named(roles: &[tasks::Role]) -> Scenario {
    let mut scenario = refreshing(roles, Faults::default());
    scenario.rules.acknowledged_only = true;
    scenario
}

#[test]
fn refreshes_store_nothing_stale_and_replace_no_value_that_was_set() {
    holds("refresh", &refreshing(&[Writer(1), Refresher(1), Reader(1)], END_OF_MARKS));
    holds("refresh, an eviction", &refreshing(&[Writer(1), Refresher(2)], EVICTION));
    holds("refresh, two", &refreshing(&[Writer(1), Refresher(1), Refresher(1)], Faults::default()));
    holds("refresh, a set", &refreshing_named(&[Setter(2), NamedRefresher(2), NamedReader(2)]));
    holds("refresh, a module", &refreshing_named(&[Outsider(Means::NamedModule), NamedRefresher(1), NamedReader(1)]));
}

#[test]
fn refreshes_under_the_latest_version_are_caught() {
    let scenario = refreshing(&[Writer(1), Refresher(1), Reader(1)], Faults::default());
    is_caught(&weakened(scenario, Weakness::StoredUnderTheLatestVersion));
}

#[test]
fn refreshes_without_a_watch_are_caught() {
    let scenario = refreshing_named(&[Setter(1), NamedRefresher(1), NamedReader(1)]);
    is_caught(&weakened(scenario, Weakness::ReplacedWithoutWatch));
}

#[test]
fn named_entries_removed_without_their_versions_are_caught() {
    let roles = [Outsider(Means::Delete), NamedReader(1), NamedReader(1)];
    is_caught(&weakened(invalidated(&roles), Weakness::OnlyTheEntryIsRemoved));
}

#[test]
fn modules_invalidated_without_their_generation_are_caught() {
    let roles = [Outsider(Means::NamedModule), NamedReader(1), NamedReader(1)];
    is_caught(&weakened(invalidated(&roles), Weakness::GenerationsStay));
}

#[test]
fn way_1_versions_that_come_back_are_caught() {
    let faults = Faults { evictions: 1, ..Faults::default() };
    is_caught(&weakened(scenario(&[Writer(1), Reader(1), Reader(1)], true, faults), Weakness::VersionsComeBack));
}

#[test]
fn way_2_storing_under_the_latest_version_is_caught() {
    let weak = Weakness::StoredUnderTheLatestVersion;
    is_caught(&weakened(scenario(&[Writer(1), Reader(1), Reader(1)], false, Faults::default()), weak));
}

#[test]
fn way_3_ignoring_marks_is_caught() {
    let weak = Weakness::MarksAreIgnored;
    is_caught(&weakened(scenario(&[Writer(1), Reader(1), Reader(1)], true, Faults::default()), weak));
}

#[test]
fn way_4_bumping_only_after_the_statement_is_caught() {
    let faults = Faults::default();
    let weak = Weakness::BumpedOnlyAfterTheStatement;
    is_caught(&weakened(scenario(&[Writer(1), Reader(1), Reader(1)], true, faults), weak));
}

#[test]
fn marks_lost_without_a_second_bump_are_caught() {
    let faults = Faults { flushes: 1, ..Faults::default() };
    let mut flushed = scenario(&[Writer(1), Reader(1), Reader(1)], true, faults);
    flushed.rules.acknowledged_only = true;
    is_caught(&weakened(flushed, Weakness::BumpedOnlyBeforeTheStatement));
}

#[test]
fn absences_stored_during_creates_are_caught() {
    let weak = Weakness::CreatesAreNotGuarded;
    is_caught(&weakened(scenario(&[Creator, GuardedReader, GuardedReader], false, Faults::default()), weak));
}
