//! DELETE /users/:id.

use blackbox::App;
use serde_json::json;

#[tokio::test]
async fn a_deleted_user_is_gone_and_its_address_is_free() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    assert_eq!(app.get(format!("/users/{id}")).await.status(), 200);
    let deleted = app.delete(format!("/users/{id}")).await;
    assert_eq!((deleted.status(), deleted.text()), (204, ""));

    app.get(format!("/users/{id}")).await.expect_problem(404, "not-found");
    app.put(format!("/users/{id}")).json(json!({"name": "Al"})).await.expect_problem(404, "not-found");
    app.patch(format!("/users/{id}")).json(json!({"name": "Al"})).await.expect_problem(404, "not-found");
    app.delete(format!("/users/{id}")).await.expect_problem(404, "not-found");
    assert_eq!(app.get("/users").await.json(), json!([]));
    assert_eq!(app.get(format!("/users?ids={id}")).await.json(), json!([]));
    assert_eq!(app.get("/users?email=ada@example.org").await.json(), json!([]));

    let again = app.given_user("ada").await;
    assert_ne!(again["id"], id);
    // It is archived, not removed: version and times show it.
    let db = app.db().await;
    let row = db.query_one("SELECT version, archived_at = updated_at FROM users WHERE id = $1", &[&id]).await.unwrap();
    assert_eq!((row.get::<_, i32>(0), row.get::<_, Option<bool>>(1)), (2, Some(true)));
}
