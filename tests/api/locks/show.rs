//! GET /api/cache/lock/:resource.

use blackbox::App;
use serde_json::json;

use super::{extend, release_held, show};

#[tokio::test]
async fn a_lock_is_shown_without_its_token() {
    let app = App::spawn().await;
    let free = app.get("/api/cache/lock/orders").await;
    assert_eq!((free.status(), free.header("cache-control")), (200, "no-store"));
    assert_eq!(free.json(), json!({"key": "locks:orders", "held": false, "fencingToken": null}));

    let grant = app.given_lock("orders", 60_000).await;
    let held = app.get("/api/cache/lock/orders").await;
    let json = held.json();
    assert_eq!((&json["key"], &json["held"]), (&json!("locks:orders"), &json!(true)));
    assert_eq!(json["fencingToken"], grant.fencing_token);
    assert!((50_000..=60_000).contains(&json["ttl"].as_u64().unwrap()), "{json}");
    assert!(!held.text().contains(&grant.token));

    release_held(&app, &grant).await;
    let json = show(&app, "orders").await;
    let last = json!({"key": "locks:orders", "held": false, "fencingToken": grant.fencing_token});
    assert_eq!(json, last, "the last fencing token is still shown");
}

/// RFC 9110, section 13.1. A free lock has a representation that does not change.
#[tokio::test]
async fn conditions_are_evaluated() {
    let app = App::spawn().await;
    let tag = app.get("/api/cache/lock/orders").await.header("etag").to_owned();
    assert!(tag.starts_with('"'), "{tag}");
    for (field, value, status) in [
        ("if-none-match", tag.as_str(), 304),
        ("if-none-match", "*", 304),
        ("if-none-match", "\"99\"", 200),
        ("if-match", &tag, 200),
        ("if-match", "*", 200),
        ("if-match", "\"99\"", 412),
        ("if-match", "99", 400),
    ] {
        for request in [app.get("/api/cache/lock/orders"), app.head("/api/cache/lock/orders")] {
            let response = request.header(field, value).await;
            assert_eq!(response.status(), status, "{field}: {value}");
            assert_eq!(response.header("cache-control"), "no-store");
        }
    }
    let grant = app.given_lock("orders", 60_000).await;
    assert_eq!(app.get("/api/cache/lock/orders").header("if-none-match", &tag).await.status(), 200, "it has changed");

    // This URL has no representation: GET does not work there.
    for value in ["*", tag.as_str()] {
        let refused = app.admin().delete("/admin/locks/orders").header("if-match", value).await;
        assert_eq!(refused.expect_errors(412, "precondition-failed"), ["if-match"], "{value}");
    }
    assert_eq!(extend(&app, &grant, 60_000).await["extended"], true, "it was not broken");
    let list = app.admin().get("/admin/locks").header("if-match", "\"99\"").await;
    assert_eq!(list.expect_errors(412, "precondition-failed"), ["if-match"]);
}
