//! No write that was acknowledged is lost: the database has it, or something newer.

use std::collections::HashMap;

use tokio_postgres::Client;

use crate::stale_reads::history::{History, State};
use crate::stale_reads::workload::Resource;

/// Compares the newest acknowledged states with the database. Nothing must be in progress. Panics if one is lost.
pub async fn expect_stored<R: Resource>(database: &Client, history: &History) {
    let rows = database.query(R::STORED, &[]).await.unwrap();
    let state = |version: Option<i64>| version.map_or(State::Deleted, |version| State::Version(version as u64));
    let stored = rows.iter().map(|row| (row.get::<_, i64>(0), state(row.get(1)))).collect();
    let lost = lost(history, &stored);
    assert!(lost.is_empty(), "{} acknowledged writes are lost, as (key, acknowledged, stored): {lost:?}", lost.len());
}

/// The keys whose stored state is older than the acknowledged one, or that are deleted although nobody deleted them.
/// Each with the acknowledged and the stored state.
fn lost(history: &History, stored: &HashMap<i64, State>) -> Vec<(i64, State, State)> {
    let compare = |(key, acknowledged)| {
        let found = stored.get(&key).copied().unwrap_or(State::Absent);
        let is_lost = found < acknowledged || (found == State::Deleted && !history.may_be_deleted(key));
        is_lost.then_some((key, acknowledged, found))
    };
    history.acknowledged().into_iter().filter_map(compare).collect()
}

#[test]
fn lost_writes_are_found() {
    let mut history = History::default();
    history.acknowledge(1, 2, 10);
    history.acknowledge(2, 1, 10);
    history.begin_deletion(2, 11);
    history.acknowledge(3, 1, 10);
    history.begin_deletion(3, 11);
    history.acknowledge_deletion(3, 12);
    let (second, deleted) = (State::Version(2), State::Deleted);
    // The deletion of 2 had no response. The change to version 3 of 1 had none.
    for stored in [[(1, second), (2, deleted), (3, deleted)], [(1, State::Version(3)), (2, second), (3, deleted)]] {
        assert_eq!(lost(&history, &HashMap::from(stored)), []);
    }
    for (key, state) in [(1, State::Version(1)), (1, State::Deleted), (1, State::Absent), (3, second)] {
        let mut stored = HashMap::from([(1, second), (2, deleted), (3, deleted)]);
        let acknowledged = history.acknowledged()[&key];
        stored.insert(key, state);
        assert_eq!(lost(&history, &stored), [(key, acknowledged, state)]);
    }
}
