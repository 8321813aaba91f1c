//! If-Match and If-None-Match on keys and on entries (RFC 9110, section 13.1): create only, replace only,
//! compare-and-set, compare-and-delete.

use blackbox::{App, Response};
use serde_json::{Value, json};

/// A key, and an entry by module and operation.
const PATHS: [&str; 2] = ["/api/cache/a", "/api/cache/entries/posts/list?page=1"];

async fn put(app: &App, path: &str, value: Value, condition: (&str, &str)) -> Response {
    app.put(path).header(condition.0, condition.1).json(value).await
}

fn expect_refused(response: &Response, field: &str) {
    assert_eq!(response.expect_errors(412, "precondition-failed"), [field]);
}

#[tokio::test]
async fn a_put_creates_only_replaces_only_or_compares() {
    let app = App::spawn().await;
    for path in PATHS {
        let value = async || app.get(path).await.json()["value"].clone();
        expect_refused(&put(&app, path, json!(0), ("if-match", "*")).await, "if-match");
        assert_eq!(app.head(path).await.status(), 404, "nothing was created");
        put(&app, path, json!(1), ("if-none-match", "*")).await.expect_ok();
        expect_refused(&put(&app, path, json!(2), ("if-none-match", "*")).await, "if-none-match");
        assert_eq!(value().await, 1);
        put(&app, path, json!(2), ("if-match", "*")).await.expect_ok();

        let tag = app.get(path).await.header("etag").to_owned();
        assert!(tag.starts_with('"') && tag.len() > 10, "{tag}");
        put(&app, path, json!(3), ("if-match", &tag)).await.expect_ok();
        expect_refused(&put(&app, path, json!(4), ("if-match", &tag)).await, "if-match");
        expect_refused(&put(&app, path, json!(4), ("if-match", &format!("W/{tag}"))).await, "if-match");
        assert_eq!(value().await, 3);
        let current = app.get(path).await.header("etag").to_owned();
        put(&app, path, json!(4), ("if-match", &format!("\"other\", {current}"))).await.expect_ok();
        // The same value has the same tag again.
        put(&app, path, json!(2), ("if-none-match", &current)).await.expect_ok();
        assert_eq!(app.get(path).await.header("etag"), tag);
        assert!(
            put(&app, path, json!(5), ("if-match", "3")).await.expect_errors(400, "invalid-parameter") == ["if-match"]
        );
    }
}

#[tokio::test]
async fn a_delete_compares() {
    let app = App::spawn().await;
    for path in PATHS {
        expect_refused(&app.delete(path).header("if-match", "*").await, "if-match");
        app.put(path).json(json!(1)).await.expect_ok();
        let tag = app.head(path).await.header("etag").to_owned();
        expect_refused(&app.delete(path).header("if-match", "\"other\"").await, "if-match");
        expect_refused(&app.delete(path).header("if-none-match", "*").await, "if-none-match");
        assert_eq!(app.head(path).await.status(), 200);
        let deleted = app.delete(path).header("if-match", &tag).await;
        assert_eq!(deleted.expect_ok()["deleted"], true);
        assert_eq!(app.head(path).await.status(), 404);
    }
}

#[tokio::test]
async fn a_get_answers_304_412_or_404() {
    let app = App::spawn().await;
    for path in PATHS {
        app.put(path).json(json!({"n": 1})).await.expect_ok();
        let tag = app.get(path).await.header("etag").to_owned();
        for known in [tag.clone(), format!("W/{tag}"), "*".to_owned()] {
            let response = app.get(path).header("if-none-match", &known).await;
            assert_eq!((response.status(), response.text(), response.header("etag")), (304, "", tag.as_str()));
            assert!(response.is_hit(), "{response:?}");
            assert_eq!(app.head(path).header("if-none-match", &known).await.status(), 304);
        }
        assert_eq!(app.get(path).header("if-none-match", "\"other\"").await.status(), 200);
        expect_refused(&app.get(path).header("if-match", "\"other\"").await, "if-match");
        assert_eq!(app.head(path).header("if-match", "\"other\"").await.status(), 412);
        assert_eq!(app.get(path).header("if-match", &tag).await.status(), 200);
        app.delete(path).await.expect_ok();
        // The response without the condition is 404, so the condition is ignored: RFC 9110, section 13.2.1.
        for condition in ["*", tag.as_str()] {
            assert_eq!(app.head(path).header("if-match", condition).await.status(), 404);
        }
    }
    // Without an origin, this holds for a GET of an entry, too. (For a key, a GET without an origin makes up a value.)
    app.get(PATHS[1]).header("if-match", "*").await.expect_problem(404, "not-found");
}
