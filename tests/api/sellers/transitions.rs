//! POST /sellers/:id/verify, /approve, /reject, /suspend and /reactivate: every action in every state.

use blackbox::{ADMIN_ID, App, Response, Seller};
use serde_json::{Value, json};

use super::is_utc_with_milliseconds;

const ACTIONS: [&str; 5] = ["verify", "approve", "reject", "suspend", "reactivate"];

/// A state: `status` and `verificationStatus`.
type State = (&'static str, &'static str);

/// A state, actions that lead to it, and the actions that it allows with their outcome.
type Row = (State, &'static [&'static str], &'static [(&'static str, State)]);

/// Each state that a seller can have.
const TABLE: [Row; 8] = [
    (("pending", "unverified"), &[], &[("verify", ("pending", "pending")), ("suspend", ("suspended", "unverified"))]),
    (
        ("pending", "pending"),
        &["verify"],
        &[
            ("approve", ("active", "verified")),
            ("reject", ("rejected", "rejected")),
            ("suspend", ("suspended", "pending")),
        ],
    ),
    (("active", "verified"), &["verify", "approve"], &[("suspend", ("suspended", "verified"))]),
    (
        ("rejected", "rejected"),
        &["verify", "reject"],
        &[("verify", ("pending", "pending")), ("suspend", ("suspended", "rejected"))],
    ),
    (("suspended", "unverified"), &["suspend"], &[]),
    (("suspended", "pending"), &["verify", "suspend"], &[]),
    (("suspended", "verified"), &["verify", "approve", "suspend"], &[("reactivate", ("active", "verified"))]),
    (("suspended", "rejected"), &["verify", "reject", "suspend"], &[]),
];

fn state(seller: &Value) -> (&str, &str) {
    (seller["status"].as_str().unwrap(), seller["verificationStatus"].as_str().unwrap())
}

/// What `action` makes of a seller, besides its state, version and times.
fn with_effects(mut seller: Value, action: &str) -> Value {
    match action {
        "verify" => seller["rejectionReason"] = Value::Null,
        "approve" => {
            seller["rejectionReason"] = Value::Null;
            seller["verifiedBy"] = json!(ADMIN_ID);
        }
        "reject" => seller["rejectionReason"] = json!("because of reject"),
        "suspend" => seller["suspensionReason"] = json!("because of suspend"),
        "reactivate" => seller["suspensionReason"] = Value::Null,
        other => panic!("{other}"),
    }
    seller
}

async fn history(seller: &Seller) -> Vec<Value> {
    let history = seller.admin.get(seller.path("/history?limit=100")).await.expect_ok();
    history["history"].as_array().unwrap().clone()
}

fn expect_done(action: &str, before: &Value, to: State, done: &Response) {
    let after = done.expect_ok();
    assert_eq!(state(&after), to, "{action}");
    let mut expected = with_effects(before.clone(), action);
    expected["version"] = json!(before["version"].as_i64().unwrap() + 1);
    for moved in ["status", "verificationStatus", "updatedAt"] {
        expected[moved] = after[moved].clone();
    }
    if action == "approve" {
        assert!(is_utc_with_milliseconds(&after["verifiedAt"]), "{after}");
        expected["verifiedAt"] = after["verifiedAt"].clone();
    }
    assert_eq!(after, expected, "{action}");
}

/// The new row says who did what, and leads from the state before to the state after.
fn expect_row(row: &Value, action: &str, from: (&str, &str), to: State, seller: &Seller) {
    let actor = if action == "verify" { seller.user_id } else { ADMIN_ID };
    assert_eq!((&row["action"], &row["actor"]), (&json!(action), &json!(actor)), "{row}");
    assert_eq!((state(&row["from"]), state(&row["to"])), (from, to), "{row}");
    let reason = match action {
        "reject" | "suspend" => json!(format!("because of {action}")),
        _ => Value::Null,
    };
    assert_eq!(row["reason"], reason, "{row}");
    assert!(is_utc_with_milliseconds(&row["at"]), "{row}");
}

#[tokio::test]
async fn every_action_in_every_state_has_the_outcome_of_the_table() {
    let app = App::spawn().await;
    for (number, (from, actions, outcomes)) in TABLE.iter().enumerate() {
        for (position, action) in ACTIONS.iter().enumerate() {
            let seller = app.given_seller(&format!("s{number}-{position}")).await;
            seller.given(actions).await;
            let (before, rows) = (seller.show().await, history(&seller).await);
            assert_eq!(state(&before), *from, "after {actions:?}");
            assert_eq!(rows.len(), 1 + actions.len());

            let response = seller.act(action).await;
            let outcome = outcomes.iter().find(|(allowed, _)| allowed == action);
            println!("{from:?} {action}: {outcome:?}, {}", response.status());
            if let Some((_, to)) = outcome {
                expect_done(action, &before, *to, &response);
                assert_eq!(seller.show().await, response.json(), "reads see it at once");
                let after = history(&seller).await;
                assert_eq!(after[..rows.len()], rows, "earlier rows stay");
                assert_eq!(after.len(), rows.len() + 1);
                expect_row(after.last().unwrap(), action, *from, *to, &seller);
            } else {
                expect_refused(&response, *from);
                assert_eq!(seller.show().await, before, "{from:?} {action} changes nothing");
                assert_eq!(history(&seller).await, rows, "{from:?} {action} leaves no row");
            }
        }
    }
}

/// 409 with the state. The member `status` of a problem is the status code (RFC 9457).
fn expect_refused(response: &Response, (status, verification): State) {
    let problem = response.expect_problem(409, "conflict");
    assert_eq!((&problem["sellerStatus"], &problem["verificationStatus"]), (&json!(status), &json!(verification)));
}

#[tokio::test]
async fn a_verification_names_the_members_that_are_missing() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let needed =
        ["businessEmail", "businessPhone", "businessAddress", "businessCity", "businessState", "businessCountry"];
    let missing = |response: &Response| {
        let named = response.expect_errors(422, "validation");
        let mut named: Vec<String> = named.iter().map(|name| name.trim_start_matches('/').to_owned()).collect();
        named.sort();
        named
    };
    for member in needed {
        let value = seller.show().await[member].clone();
        let change = |value: Value| seller.admin.patch(seller.path("")).json(json!({ member: value }));
        change(Value::Null).await.expect_ok();
        assert_eq!(missing(&seller.act("verify").await), [member]);
        change(value).await.expect_ok();
    }
    let bare = app.with_jwt(app.given_user_id("bare").await, &["user"]);
    let created = bare.post("/sellers").json(json!({"businessName": "Bare"})).await.json();
    let response = bare.post(format!("/sellers/{}/verify", created["id"])).await;
    let mut all = needed;
    all.sort_unstable();
    assert_eq!(missing(&response), all, "all at once");
    assert_eq!(bare.get("/sellers/me").await.expect_ok(), created, "nothing was changed");

    // What is optional is not needed.
    for member in ["taxId", "businessPostalCode", "logoUrl", "website", "description", "bankAccountNumber"] {
        seller.admin.patch(seller.path("")).json(json!({ member: null })).await.expect_ok();
    }
    seller.given(&["verify"]).await;
}

#[tokio::test]
async fn a_rejected_seller_can_be_verified_in_the_end() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    seller.given(&["verify", "reject", "verify"]).await;
    assert_eq!(seller.show().await["rejectionReason"], Value::Null);
    seller.given(&["reject", "verify", "approve", "suspend", "reactivate", "suspend"]).await;
    let after = seller.show().await;
    assert_eq!(state(&after), ("suspended", "verified"));
    assert_eq!((&after["verifiedBy"], &after["version"]), (&json!(ADMIN_ID), &json!(10)));
    let actions: Vec<Value> = history(&seller).await.iter().map(|row| row["action"].clone()).collect();
    let expected =
        ["register", "verify", "reject", "verify", "reject", "verify", "approve", "suspend", "reactivate", "suspend"];
    assert_eq!(actions, expected);
}

#[tokio::test]
async fn a_reason_is_required_and_has_limits() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    seller.given(&["verify"]).await;
    let before = seller.show().await;
    let bad = [
        (json!({}), "/reason"),
        (json!({"reason": ""}), "/reason"),
        (json!({"reason": "x".repeat(1001)}), "/reason"),
        (json!({"reason": null}), "/reason"),
        (json!({"reason": 5}), "/reason"),
        (json!({"reason": "a\u{0}b"}), "/reason"),
        (json!({"reason": "ok", "status": "active"}), "/status"),
        (json!([]), ""),
    ];
    for action in ["reject", "suspend"] {
        let path = seller.path(&format!("/{action}"));
        for (body, pointer) in &bad {
            let response = seller.admin.post(&path).json(body).await;
            assert_eq!(response.expect_errors(422, "validation"), [*pointer], "{action}: {body}");
        }
        seller.admin.post(&path).json_text("").await.expect_problem(400, "malformed-json");
        let without = seller.admin.post(&path).await;
        assert!([400, 415].contains(&without.status()), "{without:?}");
    }
    assert_eq!(seller.show().await, before, "nothing was changed");
    let longest = "é".repeat(1000);
    let rejected = seller.admin.post(seller.path("/reject")).json(json!({"reason": longest})).await;
    assert_eq!(rejected.expect_ok()["rejectionReason"], longest);
    let suspended = seller.admin.post(seller.path("/suspend")).json(json!({"reason": "x"})).await;
    assert_eq!(suspended.expect_ok()["suspensionReason"], "x");
}

#[tokio::test]
async fn a_seller_that_does_not_exist_has_no_states() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    seller.admin.delete(seller.path("")).await.expect_success();
    for action in &ACTIONS[1..] {
        seller.act(action).await.expect_problem(404, "not-found");
    }
    seller.act("verify").await.expect_problem(404, "not-found");
}

/// Two administrators decide at the same time: one wins, and the other learns the state.
#[tokio::test]
async fn of_two_decisions_at_the_same_time_one_wins() {
    const ROUNDS: usize = 20;
    let app = App::spawn().await;
    let mut won = [0, 0];
    for round in 0..ROUNDS {
        let seller = app.given_seller(&format!("s{round}")).await;
        seller.given(&["verify"]).await;
        let (approved, rejected) = tokio::join!(seller.act("approve"), seller.act("reject"));
        let (winner, loser, state, number) = match approved.status() {
            200 => (approved, rejected, ("active", "verified"), 0),
            _ => (rejected, approved, ("rejected", "rejected"), 1),
        };
        assert_eq!(seller.show().await, winner.expect_ok());
        expect_refused(&loser, state);
        let rows = history(&seller).await;
        assert_eq!((rows.len(), self::state(&rows[2]["to"])), (3, state));
        won[number] += 1;
    }
    println!("approve won {} times, reject {} times", won[0], won[1]);
}
