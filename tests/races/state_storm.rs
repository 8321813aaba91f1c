//! Many clients verify, approve, reject, suspend and reactivate one seller at the same time. Each change has one
//! winner: there are as many rows in the history as responses with 200, each row starts where the row before it ended,
//! and the last one ends in the state of the seller.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use blackbox::{ADMIN_ID, App, Seller};
use fastrand::Rng;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::progress::Progress;

const CLIENTS: u64 = 24;
const ACTIONS: [&str; 5] = ["verify", "approve", "reject", "suspend", "reactivate"];
/// Which changes the rules allow: action, `status` and `verificationStatus` before, and after.
const LEGAL: [(&str, [&str; 2], [&str; 2]); 9] = [
    ("verify", ["pending", "unverified"], ["pending", "pending"]),
    ("verify", ["rejected", "rejected"], ["pending", "pending"]),
    ("approve", ["pending", "pending"], ["active", "verified"]),
    ("reject", ["pending", "pending"], ["rejected", "rejected"]),
    ("suspend", ["pending", "unverified"], ["suspended", "unverified"]),
    ("suspend", ["pending", "pending"], ["suspended", "pending"]),
    ("suspend", ["active", "verified"], ["suspended", "verified"]),
    ("suspend", ["rejected", "rejected"], ["suspended", "rejected"]),
    ("reactivate", ["suspended", "verified"], ["active", "verified"]),
];

/// How many responses with 200 each action got.
type Wins = HashMap<&'static str, u64>;

fn state(of: &Value) -> [&str; 2] {
    [of["status"].as_str().unwrap(), of["verificationStatus"].as_str().unwrap()]
}

/// Sends actions at random until the race ends. Each refusal must be a conflict.
async fn storm(seller: Seller, progress: Arc<Progress>, actions: &'static [&'static str], mut rng: Rng) -> Wins {
    let mut wins = Wins::new();
    while progress.goes_on() {
        let action = actions[rng.usize(..actions.len())];
        let response = seller.act(action).await;
        match response.status() {
            200 => {
                *wins.entry(action).or_default() += 1;
                progress.count("changes", 1);
            }
            _ => {
                response.expect_problem(409, "conflict");
                progress.count("refusals", 1);
            }
        }
        tokio::time::sleep(Duration::from_millis(rng.u64(..3))).await;
    }
    wins
}

/// Runs the clients, and judges what they did. `before` is how many changes the seller has had.
async fn race(
    app: &App,
    seller: &Seller,
    before: usize,
    actions: &'static [&'static str],
    goals: &[(&'static str, u64)],
) {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let progress = Progress::until(goals);
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let rng = Rng::with_seed(seed.wrapping_add(number));
        clients.spawn(storm(seller.clone(), progress.clone(), actions, rng));
    }
    let mut wins = Wins::new();
    for won in clients.join_all().await {
        won.into_iter().for_each(|(action, count)| *wins.entry(action).or_default() += count);
    }
    progress.expect_enough();
    println!("{wins:?}");

    let rows = history(seller).await;
    let storm = &rows[before..];
    assert_eq!(storm.len() as u64, wins.values().sum::<u64>(), "{wins:?}");
    for action in ACTIONS {
        let count = storm.iter().filter(|row| row["action"] == action).count() as u64;
        assert_eq!(count, wins.get(action).copied().unwrap_or(0), "{action}");
    }
    expect_chain(&rows, seller);
    let found = seller.show().await;
    assert_eq!(state(&found), state(&rows[rows.len() - 1]["to"]), "{found}");
    assert_eq!(found["version"], rows.len(), "each change has a version");
    let db = app.db().await;
    let stored = "SELECT status, verification_status FROM sellers WHERE id = $1";
    let row = db.query_one(stored, &[&seller.id]).await.unwrap();
    assert_eq!(state(&found), [row.get::<_, &str>(0), row.get::<_, &str>(1)], "the cache has another state");
    for pair in rows.windows(2) {
        assert!(
            pair[0]["at"].as_str() <= pair[1]["at"].as_str(),
            "{} is earlier than the row before it: {}",
            pair[1],
            pair[0]
        );
    }
}

/// All rows, from all pages.
async fn history(seller: &Seller) -> Vec<Value> {
    let mut rows = Vec::new();
    loop {
        let path = seller.path(&format!("/history?limit=100&offset={}", rows.len()));
        let page = seller.admin.get(path).await.expect_ok();
        let more = page["history"].as_array().unwrap();
        rows.extend(more.iter().cloned());
        if more.is_empty() {
            assert_eq!(page["total"], rows.len());
            return rows;
        }
    }
}

/// The rows explain each other: the first is the registration, and each of the others is a legal change of the state
/// that the row before it led to.
fn expect_chain(rows: &[Value], seller: &Seller) {
    assert_eq!((&rows[0]["action"], &rows[0]["from"]), (&json!("register"), &Value::Null));
    for (number, pair) in rows.windows(2).enumerate() {
        let [before, row] = pair else { unreachable!("windows of two") };
        assert_eq!(row["from"], before["to"], "row {}: {row} after {before}", number + 1);
        let change = (row["action"].as_str().unwrap(), state(&row["from"]), state(&row["to"]));
        assert!(LEGAL.contains(&change), "{row}");
        let actor = if change.0 == "verify" { seller.user_id } else { ADMIN_ID };
        assert_eq!(row["actor"], actor, "{row}");
        assert!(before["id"].as_i64() < row["id"].as_i64(), "{row} after {before}");
    }
}

/// A verified seller can be suspended and reactivated for ever.
#[tokio::test]
async fn a_storm_of_suspensions_and_reactivations_has_one_winner_for_each_change() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    seller.given(&["verify", "approve"]).await;
    race(&app, &seller, 3, &ACTIONS, &[("changes", 60), ("refusals", 120)]).await;
    assert_eq!(seller.show().await["verificationStatus"], "verified");
}

/// As above, on instances that share nothing.
#[tokio::test]
async fn a_storm_on_many_instances_has_one_winner_for_each_change() {
    let app = App::builder().instance_per_request().spawn().await;
    let seller = app.given_seller("ada").await;
    seller.given(&["verify", "approve"]).await;
    race(&app, &seller, 3, &ACTIONS, &[("changes", 30), ("refusals", 30)]).await;
}

/// Before the approval, verifications and rejections follow each other for ever.
#[tokio::test]
async fn a_storm_of_verifications_and_rejections_has_one_winner_for_each_change() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    race(&app, &seller, 1, &["verify", "reject"], &[("changes", 60), ("refusals", 30)]).await;
}

/// All actions at once soon end in a state that only an end of the suspension would leave. So many sellers are tried,
/// each for a moment.
#[tokio::test]
async fn every_storm_of_all_actions_ends_in_a_legal_state() {
    let app = App::spawn().await;
    let mut ends: HashMap<String, usize> = HashMap::new();
    for round in 0..6 {
        let seller = app.given_seller(&format!("s{round}")).await;
        race(&app, &seller, 1, &ACTIONS, &[("changes", 1), ("refusals", 60)]).await;
        *ends.entry(state(&seller.show().await).join("/")).or_default() += 1;
    }
    println!("{ends:?}");
}
