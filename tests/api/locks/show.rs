//! GET /api/cache/lock/:resource.

use blackbox::App;
use serde_json::json;

use super::{release_held, show};

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
