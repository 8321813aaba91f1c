//! GET /sellers/:id/history.

use blackbox::{ADMIN_ID, App};
use serde_json::{Value, json};

use super::is_utc_with_milliseconds;
use super::list::next;

#[tokio::test]
async fn a_registration_is_the_first_row() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    for client in [&seller.owner, &seller.admin] {
        let history = client.get(seller.path("/history")).await.expect_ok();
        assert_eq!((&history["total"], history["history"].as_array().unwrap().len()), (&json!(1), 1));
        let mut row = history["history"][0].clone();
        assert!(is_utc_with_milliseconds(&row["at"].take()) && row["id"].take().is_i64(), "{history}");
        let to = json!({"status": "pending", "verificationStatus": "unverified"});
        let expected = json!({
            "id": null, "action": "register", "actor": seller.user_id, "at": null, "from": null, "to": to, "reason": null
        });
        assert_eq!(row, expected);
    }
}

#[tokio::test]
async fn each_row_continues_where_the_row_before_it_ended() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let actions = ["verify", "reject", "verify", "approve", "suspend", "reactivate"];
    seller.given(&actions).await;
    // What changes no state leaves no row, and neither does what is refused.
    seller.owner.patch(seller.path("/profile")).json(json!({"description": "x"})).await.expect_ok();
    seller.given_sale(json!({"amount": 1})).await;
    seller.act("approve").await.expect_problem(409, "conflict");

    let history = seller.owner.get(seller.path("/history")).await.expect_ok();
    let rows = history["history"].as_array().unwrap();
    assert_eq!(history["total"], 7);
    let named: Vec<&str> = rows.iter().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(named, [&["register"], &actions[..]].concat());
    for pair in rows.windows(2) {
        assert_eq!(pair[0]["to"], pair[1]["from"]);
        assert!(pair[0]["at"].as_str() <= pair[1]["at"].as_str());
        assert!(pair[0]["id"].as_i64() < pair[1]["id"].as_i64());
    }
    let actors: Vec<&Value> = rows.iter().map(|row| &row["actor"]).collect();
    let (owner, admin) = (json!(seller.user_id), json!(ADMIN_ID));
    assert_eq!(actors, [&owner, &owner, &admin, &owner, &admin, &admin, &admin]);
    let last = seller.show().await;
    for member in ["status", "verificationStatus"] {
        assert_eq!(rows[6]["to"][member], last[member]);
    }
}

#[tokio::test]
async fn history_has_pages() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    seller.given(&["verify", "approve"]).await;
    for _ in 0..6 {
        seller.given(&["suspend", "reactivate"]).await;
    }
    let read = async |query: &str| seller.owner.get(seller.path(&format!("/history{query}"))).await;
    let all = read("?limit=100").await.expect_ok()["history"].as_array().unwrap().clone();
    assert_eq!(all.len(), 15);
    for (query, rows) in
        [("?limit=4", 0..4), ("?limit=4&offset=12", 12..15), ("?offset=14", 14..15), ("?offset=15", 0..0)]
    {
        let page = read(query).await;
        assert_eq!(page.expect_ok(), json!({"history": all[rows.clone()], "total": 15}), "{query}");
        let link = next(&page);
        assert_eq!(link.is_some(), rows.end < 15 && !rows.is_empty(), "{query}: {link:?}");
    }
    let second = next(&read("?limit=4").await).unwrap();
    assert_eq!(seller.owner.get(&second).await.expect_ok()["history"], json!(all[4..8]));
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=1.5", "limit"),
        ("offset=-1", "offset"),
        ("offset=1000000001", "offset"),
        ("sort=asc", "sort"),
    ] {
        assert_eq!(read(&format!("?{query}")).await.expect_errors(400, "invalid-parameter"), [field], "{query}");
    }
}

#[tokio::test]
async fn a_change_of_state_is_seen_at_once() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    seller.given(&["verify", "approve"]).await;
    for round in 0..5 {
        for action in ["suspend", "reactivate"] {
            seller.owner.get(seller.path("/history?limit=100")).await.expect_ok();
            seller.given(&[action]).await;
            let history = seller.owner.get(seller.path("/history?limit=100")).await.expect_ok();
            let last = history["history"].as_array().unwrap().last().unwrap();
            assert_eq!(last["action"], action, "round {round}");
        }
    }
}
