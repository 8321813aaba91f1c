//! POST /users/batch.

use blackbox::App;
use serde_json::{Value, json};

use super::{ids, names};

#[tokio::test]
async fn a_batch_is_created_in_order_with_one_statement() {
    let app = App::builder().log_statements().spawn().await;
    let batch: Vec<Value> =
        (0..1000).map(|n| json!({"name": format!("User {n}"), "email": format!("u{n}@example.org")})).collect();
    let created = app.post("/users/batch").json(json!(batch)).await;
    assert_eq!(created.status(), 201, "{created:?}");
    let users = created.json();
    let ids = ids(&users);
    assert_eq!(ids.len(), 1000);
    assert!(ids.is_sorted(), "ids ascend in the order of the request");
    for (user, wanted) in users.as_array().unwrap().iter().zip(&batch) {
        assert_eq!((&user["name"], &user["email"]), (&wanted["name"], &wanted["email"]));
        assert_eq!((&user["roles"], &user["version"]), (&json!(["user"]), &json!(1)));
    }
    let inserts = app.database.statements().iter().filter(|sql| sql.contains("INSERT")).count();
    assert_eq!(inserts, 1);
    assert_eq!(app.get("/users?limit=1000").await.text(), created.text(), "the list shows them, byte for byte");
}

#[tokio::test]
async fn a_batch_with_a_conflict_creates_nothing_and_names_the_indexes() {
    let app = App::spawn().await;
    app.given_user("ada").await;
    app.given_user("bob").await;
    let user = |email: &str| json!({"name": "Someone", "email": email});
    let taken = json!([user("x@b.co"), user("ADA@example.org"), user("y@b.co"), user("bob@Example.org")]);
    assert_eq!(app.post("/users/batch").json(&taken).await.expect_errors(409, "conflict"), ["/1/email", "/3/email"]);
    let duplicate = json!([user("x@b.co"), user("y@b.co"), user("X@b.co")]);
    assert_eq!(app.post("/users/batch").json(&duplicate).await.expect_errors(409, "conflict"), ["/2/email"]);
    assert_eq!(names(&app.get("/users").await.json()), ["ada", "bob"]);
}
