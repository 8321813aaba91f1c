//! An application whose cache has one entry, which no refused request may touch.

use blackbox::App;
use serde_json::json;

use crate::answer::read;

/// An application with one entry, under the key `kept`.
pub async fn app() -> App {
    let app = App::spawn().await;
    assert_eq!(app.put_cached("kept", "", &json!("kept")).await.status(), 200);
    app
}

/// The entry is still there, and is the only one.
pub async fn expect_untouched(app: &App) {
    let found = read(app.mget(&json!({"keys": ["kept", "a", "b"]})).await).await;
    assert_eq!(found.expect_ok(), json!({"entries": {"kept": "kept"}, "missing": ["a", "b"]}));
}
