//! POST /users.

use blackbox::App;
use serde_json::{Value, json};

use super::names;

fn is_utc_with_milliseconds(time: &Value) -> bool {
    let shape: String = time.as_str().unwrap().chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00T00:00:00.000Z"
}

#[tokio::test]
async fn a_created_user_is_returned_and_can_be_read() {
    let app = App::spawn().await;
    let created = app.post("/users").json(json!({"name": "Zoë \"Z\" 李", "email": "Zoe@Example.org"})).await;
    assert_eq!(created.status(), 201, "{created:?}");
    let user = created.json();
    let id = user["id"].as_i64().unwrap();
    assert!(id > 0);
    assert_eq!(created.header("location"), format!("/users/{id}"));
    assert_eq!(created.header("etag"), "\"1\"");
    assert_eq!(created.header("content-type"), "application/json");
    assert_eq!(user["name"], "Zoë \"Z\" 李");
    assert_eq!(user["email"], "Zoe@Example.org", "stored as given");
    assert_eq!(user["roles"], json!(["user"]));
    assert_eq!(user["isActive"], true);
    assert!(is_utc_with_milliseconds(&user["createdAt"]) && user["createdAt"] == user["updatedAt"], "{user}");
    assert_eq!(user["archivedAt"], Value::Null);
    assert_eq!(user["version"], 1);

    // Twice: from the database, then from the cache; byte for byte the response of the creation.
    for _ in 0..2 {
        let found = app.get(created.header("location")).await;
        assert_eq!((found.status(), found.text()), (200, created.text()));
        assert_eq!(found.header("etag"), "\"1\"");
        assert_eq!(found.header("content-type"), "application/json");
        assert_eq!(found.header("cache-control"), "private, no-cache");
    }
    let members: Vec<usize> =
        ["id", "name", "email", "roles", "isActive", "createdAt", "updatedAt", "archivedAt", "version"]
            .iter()
            .map(|member| created.text().find(&format!("\"{member}\":")).unwrap())
            .collect();
    assert!(members.is_sorted(), "the members have a fixed order: {}", created.text());
}

#[tokio::test]
async fn roles_and_state_can_be_set() {
    let app = App::spawn().await;
    let body = json!({"name": "Al", "email": "a@b.co", "roles": ["admin", "käse"], "isActive": false});
    let created = app.post("/users").json(&body).await;
    assert_eq!(created.status(), 201, "{created:?}");
    assert_eq!(created.json()["roles"], json!(["admin", "käse"]));
    assert_eq!(created.json()["isActive"], false);
    let none = app.post("/users").json(json!({"name": "Bo", "email": "b@b.co", "roles": []})).await;
    assert_eq!(none.json()["roles"], json!([]));
}

#[tokio::test]
async fn an_address_belongs_to_one_user_in_upper_and_lower_case() {
    let app = App::spawn().await;
    app.given_user("ada").await;
    let bob = app.given_user_id("bob").await;
    let taken = json!({"name": "Eve", "email": "ADA@Example.ORG"});
    assert_eq!(app.post("/users").json(&taken).await.expect_errors(409, "conflict"), ["/email"]);
    let path = format!("/users/{bob}");
    for request in [app.put(&path), app.patch(&path)] {
        assert_eq!(request.json(&taken).await.expect_errors(409, "conflict"), ["/email"]);
    }
    let bob = app.get(format!("/users/{bob}")).await.json();
    assert_eq!((&bob["name"], &bob["version"]), (&json!("bob"), &json!(1)), "nothing was changed");
    // One's own address is no conflict.
    let own = json!({"email": "BOB@example.org"});
    assert_eq!(app.put(format!("/users/{}", bob["id"].as_i64().unwrap())).json(&own).await.status(), 200);
}

#[tokio::test]
async fn one_of_many_concurrent_creations_with_the_same_address_succeeds() {
    let app = App::spawn().await;
    let attempts = (0..20).map(|n| {
        let api = app.api.clone();
        let email = if n % 2 == 0 { "same@example.org" } else { "SAME@example.org" };
        tokio::spawn(async move { api.post("/users").json(json!({"name": "Same", "email": email})).await })
    });
    let mut created = 0;
    for attempt in attempts.collect::<Vec<_>>() {
        let response = attempt.await.unwrap();
        if response.status() == 201 {
            created += 1;
        } else {
            assert_eq!(response.expect_errors(409, "conflict"), ["/email"]);
        }
    }
    assert_eq!(created, 1);
    assert_eq!(names(&app.get("/users").await.json()), ["Same"]);
}
