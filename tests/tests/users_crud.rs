//! Each row of the users service's route table, as a client sees it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;

use answer::read;
use blackbox::App;
use reqwest::Method;
use serde_json::{Value, json};

fn names(users: &Value) -> Vec<&str> {
    users.as_array().unwrap().iter().map(|user| user["name"].as_str().unwrap()).collect()
}

fn is_utc_with_milliseconds(time: &Value) -> bool {
    let shape: String = time.as_str().unwrap().chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00T00:00:00.000Z"
}

#[tokio::test]
async fn a_created_user_is_answered_and_found_again() {
    let app = App::spawn().await;
    let created = read(app.create_user(&json!({"name": "Zoë \"Z\" 李", "email": "Zoe@Example.org"})).await).await;
    assert_eq!(created.status, 201, "{created:?}");
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

    // Twice: from the database, then from the cache; byte for byte what the creation answered.
    for _ in 0..2 {
        let found = read(app.get(created.header("location")).await).await;
        assert_eq!((found.status.as_u16(), &found.body), (200, &created.body));
        assert_eq!(found.header("etag"), "\"1\"");
        assert_eq!(found.header("content-type"), "application/json");
        assert_eq!(found.header("cache-control"), "private, no-cache");
    }
    let members: Vec<usize> =
        ["id", "name", "email", "roles", "isActive", "createdAt", "updatedAt", "archivedAt", "version"]
            .iter()
            .map(|member| created.body.find(&format!("\"{member}\":")).unwrap())
            .collect();
    assert!(members.is_sorted(), "the members have a fixed order: {}", created.body);
}

#[tokio::test]
async fn roles_and_state_can_be_given() {
    let app = App::spawn().await;
    let body = json!({"name": "Al", "email": "a@b.co", "roles": ["admin", "käse"], "isActive": false});
    let created = read(app.create_user(&body).await).await;
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(created.json()["roles"], json!(["admin", "käse"]));
    assert_eq!(created.json()["isActive"], false);
    let none = read(app.create_user(&json!({"name": "Bo", "email": "b@b.co", "roles": []})).await).await;
    assert_eq!(none.json()["roles"], json!([]));
}

#[tokio::test]
async fn head_answers_what_get_does_without_the_body() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    for path in [format!("/users/{id}"), "/users".to_owned(), format!("/users?ids={id}")] {
        for _ in 0..2 {
            let get = read(app.get(&path).await).await;
            let head = read(app.request(Method::HEAD, &path).send().await.unwrap()).await;
            assert_eq!((head.status.as_u16(), head.body.as_str()), (200, ""), "{path}");
            for field in ["content-length", "content-type", "etag", "cache-control"] {
                assert_eq!(head.header(field), get.header(field), "{field} of {path}");
                assert_ne!(head.header(field), "", "{field} of {path}");
            }
            assert_eq!(head.header("content-length"), get.body.len().to_string());
        }
    }
    let missing = read(app.head_user(id + 1).await).await;
    assert_eq!((missing.status.as_u16(), missing.body.as_str()), (404, ""));
}

#[tokio::test]
async fn put_and_patch_change_the_given_fields() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    let before = app.get_user(id).await.json::<Value>().await.unwrap();
    let steps = [
        (Method::PUT, json!({"name": "Ada Lovelace"})),
        (Method::PATCH, json!({"email": "Countess@example.org", "roles": ["admin"]})),
        (Method::PUT, json!({"isActive": false})),
        (Method::PATCH, json!({"name": "Ada", "email": "ADA@example.org", "roles": [], "isActive": true})),
    ];
    let mut expected = before;
    for (version, (method, fields)) in (2..).zip(steps) {
        let answer = app.request(method.clone(), &format!("/users/{id}")).json(&fields).send().await.unwrap();
        let answer = read(answer).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("etag"), format!("\"{version}\""));
        for (member, value) in fields.as_object().unwrap() {
            expected[member] = value.clone();
        }
        expected["version"] = json!(version);
        let mut changed = answer.json();
        assert!(changed["updatedAt"].as_str() >= expected["updatedAt"].as_str());
        expected["updatedAt"] = changed["updatedAt"].take();
        changed["updatedAt"] = expected["updatedAt"].clone();
        assert_eq!(changed, expected, "{method} {fields}");
        assert_eq!(read(app.get_user(id).await).await.body, answer.body, "reads see it at once");
    }
}

#[tokio::test]
async fn a_deleted_user_is_gone_and_frees_the_address() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    assert_eq!(app.get_user(id).await.status(), 200);
    let deleted = read(app.delete_user(id).await).await;
    assert_eq!((deleted.status.as_u16(), deleted.body.as_str()), (204, ""));

    read(app.get_user(id).await).await.expect_problem(404, "not-found");
    read(app.put_user(id, &json!({"name": "Al"})).await).await.expect_problem(404, "not-found");
    read(app.patch_user(id, &json!({"name": "Al"})).await).await.expect_problem(404, "not-found");
    read(app.delete_user(id).await).await.expect_problem(404, "not-found");
    assert_eq!(app.list_users("").await.json::<Value>().await.unwrap(), json!([]));
    assert_eq!(app.list_users(&format!("?ids={id}")).await.json::<Value>().await.unwrap(), json!([]));
    assert_eq!(app.list_users("?email=ada@example.org").await.json::<Value>().await.unwrap(), json!([]));

    let again = app.given_user("ada").await;
    assert_ne!(again["id"], id);
    // Archived, not removed: version and times tell.
    let db = app.db().await;
    let row = db.query_one("SELECT version, archived_at = updated_at FROM users WHERE id = $1", &[&id]).await.unwrap();
    assert_eq!((row.get::<_, i32>(0), row.get::<_, Option<bool>>(1)), (2, Some(true)));
}

#[tokio::test]
async fn an_address_belongs_to_one_user_whatever_its_case() {
    let app = App::spawn().await;
    app.given_user("ada").await;
    let bob = app.given_user_id("bob").await;
    let taken = json!({"name": "Eve", "email": "ADA@Example.ORG"});
    assert_eq!(read(app.create_user(&taken).await).await.expect_errors(409, "conflict"), ["/email"]);
    for answer in [app.put_user(bob, &taken).await, app.patch_user(bob, &taken).await] {
        assert_eq!(read(answer).await.expect_errors(409, "conflict"), ["/email"]);
    }
    let bob = read(app.get_user(bob).await).await.json();
    assert_eq!((&bob["name"], &bob["version"]), (&json!("bob"), &json!(1)), "nothing was changed");
    // One's own address is no conflict.
    let own = json!({"email": "BOB@example.org"});
    assert_eq!(app.put_user(bob["id"].as_i64().unwrap(), &own).await.status(), 200);
}

#[tokio::test]
async fn of_many_creations_with_one_address_one_succeeds() {
    let app = App::spawn().await;
    let attempts = (0..20).map(|n| {
        let api = app.api.clone();
        let email = if n % 2 == 0 { "same@example.org" } else { "SAME@example.org" };
        tokio::spawn(async move { read(api.create_user(&json!({"name": "Same", "email": email})).await).await })
    });
    let mut created = 0;
    for attempt in attempts.collect::<Vec<_>>() {
        let answer = attempt.await.unwrap();
        if answer.status == 201 {
            created += 1;
        } else {
            assert_eq!(answer.expect_errors(409, "conflict"), ["/email"]);
        }
    }
    assert_eq!(created, 1);
    assert_eq!(names(&app.list_users("").await.json().await.unwrap()), ["Same"]);
}

#[tokio::test]
async fn a_batch_is_created_in_order_with_one_statement() {
    let app = App::builder().log_statements().spawn().await;
    let batch: Vec<Value> =
        (0..1000).map(|n| json!({"name": format!("User {n}"), "email": format!("u{n}@example.org")})).collect();
    let created = read(app.create_users(&json!(batch)).await).await;
    assert_eq!(created.status, 201, "{created:?}");
    let users = created.json();
    let ids: Vec<i64> = users.as_array().unwrap().iter().map(|user| user["id"].as_i64().unwrap()).collect();
    assert_eq!(ids.len(), 1000);
    assert!(ids.is_sorted(), "ids ascend in the order of the request");
    for (user, wanted) in users.as_array().unwrap().iter().zip(&batch) {
        assert_eq!((&user["name"], &user["email"]), (&wanted["name"], &wanted["email"]));
        assert_eq!((&user["roles"], &user["version"]), (&json!(["user"]), &json!(1)));
    }
    let inserts = app.database.statements().iter().filter(|sql| sql.contains("INSERT")).count();
    assert_eq!(inserts, 1);
    assert_eq!(
        read(app.list_users("?limit=1000").await).await.body,
        created.body,
        "the list shows them, byte for byte"
    );
}

#[tokio::test]
async fn a_batch_with_a_conflict_creates_nothing_and_names_the_indexes() {
    let app = App::spawn().await;
    app.given_user("ada").await;
    app.given_user("bob").await;
    let user = |email: &str| json!({"name": "Someone", "email": email});
    let taken = json!([user("x@b.co"), user("ADA@example.org"), user("y@b.co"), user("bob@Example.org")]);
    assert_eq!(read(app.create_users(&taken).await).await.expect_errors(409, "conflict"), ["/1/email", "/3/email"]);
    let doubled = json!([user("x@b.co"), user("y@b.co"), user("X@b.co")]);
    assert_eq!(read(app.create_users(&doubled).await).await.expect_errors(409, "conflict"), ["/2/email"]);
    assert_eq!(names(&app.list_users("").await.json().await.unwrap()), ["ada", "bob"]);
}

#[tokio::test]
async fn other_methods_are_refused_with_those_allowed() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    let table = [
        ("/users".to_owned(), "GET,HEAD,POST", vec!["PUT", "PATCH", "DELETE", "OPTIONS", "FROB"]),
        ("/users/batch".to_owned(), "POST", vec!["GET", "HEAD", "PUT", "PATCH", "DELETE"]),
        (format!("/users/{id}"), "DELETE,GET,HEAD,PATCH,PUT", vec!["POST", "OPTIONS"]),
    ];
    for (path, allowed, methods) in table {
        for method in methods {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let answer = read(app.request(method.clone(), &path).send().await.unwrap()).await;
            let mut allow: Vec<&str> = answer.header("allow").split(',').map(str::trim).collect();
            allow.sort_unstable();
            assert_eq!(allow.join(","), allowed, "{method} {path}");
            match method {
                Method::HEAD => assert_eq!(answer.status, 405),
                _ => drop(answer.expect_problem(405, "method-not-allowed")),
            }
        }
    }
}

#[tokio::test]
async fn other_paths_are_not_found() {
    let app = App::spawn().await;
    for path in ["/users/1/roles", "/users/", "/users/1/", "/users/batch/1"] {
        read(app.get(path).await).await.expect_problem(404, "not-found");
    }
    let problem = read(app.get_user(7).await).await.expect_problem(404, "not-found");
    assert!(problem["detail"].as_str().unwrap().contains('7'), "{problem}");
}
