//! /api/cache and /admin/cache: one file for each route, and one for each topic of several routes.

mod access;
mod at_scale;
mod compression;
mod concurrent_fills;
mod conditional;
mod entries;
mod get;
mod grace;
mod invalidate;
mod keys;
mod memory;
mod mget;
mod mset;
mod namespace;
mod origin;
mod outages;
mod parameters;
mod refresh;
mod registry;
mod set;
mod settings;
mod stats;
mod ttls_of_keys;
mod validation;
mod verify;
mod warm;

use blackbox::App;
use serde_json::{Value, json};

/// The most keys of one request.
const MANY: usize = 1000;
/// The largest value, in bytes.
const VALUE_MAX: usize = 512 * 1024;

/// `count` keys.
fn many_keys(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("many:{number}")).collect()
}

/// An application with one cache entry, `kept`, which no refused request may touch.
async fn app_with_one_entry() -> App {
    let app = App::spawn().await;
    assert_eq!(app.put("/api/cache/kept").json(json!("kept")).await.status(), 200);
    app
}

/// The entry `kept` is unchanged, and it is the only one.
async fn expect_untouched(app: &App) {
    let found = app.post("/api/cache/mget").json(json!({"keys": ["kept", "a", "b"]})).await;
    assert_eq!(found.expect_ok(), json!({"entries": {"kept": "kept"}, "missing": ["a", "b"]}));
}

/// GET /admin/cache/stats.
async fn stats(app: &App) -> Value {
    app.admin().get("/admin/cache/stats").await.expect_ok()
}
