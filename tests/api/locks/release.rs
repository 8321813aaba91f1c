//! POST /api/cache/lock/release, also with a token that is wrong or has expired.

use std::collections::HashSet;

use blackbox::{App, Grant, until};
use serde_json::json;

use super::{FOREIGN_TOKEN, extend, release, release_held, show};

#[tokio::test]
async fn a_released_resource_is_free_and_its_fencing_tokens_increase() {
    let app = App::spawn().await;
    let mut last = 0;
    let mut tokens = HashSet::new();
    for _ in 0..20 {
        let grant = app.given_lock("orders", 60_000).await;
        assert!(grant.fencing_token > last, "{} after {last}", grant.fencing_token);
        assert!(tokens.insert(grant.token.clone()), "a token came twice");
        last = grant.fencing_token;
        release_held(&app, &grant).await;
    }
    app.redis.run(&["FLUSHALL"]).await;
    let grant = app.given_lock("orders", 60_000).await;
    assert!(grant.fencing_token > last, "{} after {last} and a flush", grant.fencing_token);
}

#[tokio::test]
async fn only_the_holder_can_release_and_extend() {
    let app = App::spawn().await;
    let grant = app.given_lock("orders", 60_000).await;
    let thief = Grant { token: FOREIGN_TOKEN.to_owned(), ..grant.clone() };
    let last = if grant.token.ends_with('A') { "Q" } else { "A" };
    let almost = Grant { token: format!("{}{last}", &grant.token[..21]), ..grant.clone() };
    for other in [&thief, &almost] {
        assert_eq!(release(&app, other).await, json!({"released": false}));
        assert_eq!(extend(&app, other, 10).await, json!({"extended": false, "reason": "held-by-another"}));
    }
    let left: i64 = app.redis.ask(&["PTTL", &grant.key]).await;
    assert!(left > 20_000, "{left}: another client has shortened it");
    release_held(&app, &grant).await;
}

#[tokio::test]
async fn an_expired_lock_is_reported_as_expired() {
    let app = App::spawn().await;
    let grant = app.given_lock("orders", 1_000).await;
    until("the lock expires", async || app.redis.ask::<i64>(&["EXISTS", &grant.key]).await == 0).await;
    assert_eq!(release(&app, &grant).await, json!({"released": true, "expired": true}));
    assert_eq!(extend(&app, &grant, 5_000).await, json!({"extended": false, "reason": "expired"}));
    assert_eq!(show(&app, "orders").await["held"], false, "an extension revived it");

    let next = app.given_lock("orders", 60_000).await;
    assert!(next.fencing_token > grant.fencing_token);
    assert_eq!(release(&app, &grant).await, json!({"released": false}), "it belongs to another client now");
    assert_eq!(extend(&app, &grant, 5_000).await, json!({"extended": false, "reason": "held-by-another"}));
    release_held(&app, &next).await;
}

#[tokio::test]
async fn the_second_release_reports_an_expired_lock() {
    let app = App::spawn().await;
    let grant = app.given_lock("orders", 60_000).await;
    release_held(&app, &grant).await;
    assert_eq!(release(&app, &grant).await, json!({"released": true, "expired": true}));
}
