//! The parameters `type` and `subject` of GET /api/events.

use blackbox::App;
use serde_json::json;

use super::{follow, recorded, resume};

/// Writes of all kinds. Returns the id of the user.
async fn write(app: &App, name: &str) -> i64 {
    let id = app.given_user_id(name).await;
    app.patch(format!("/users/{id}")).json(json!({"isActive": false})).await.expect_ok();
    app.put("/api/cache/a").json(json!(1)).await.expect_success();
    app.put("/api/cache/b").json(json!(1)).await.expect_success();
    app.delete("/api/cache/a").await.expect_success();
    app.given_lock("orders", 60_000).await;
    app.admin().delete("/admin/locks/orders").await.expect_ok();
    app.delete(format!("/users/{id}")).await.expect_success();
    id
}

#[tokio::test]
async fn filters_select_events() {
    let app = App::spawn().await;
    let id = write(&app, "ada").await;
    blackbox::until("all events are there", async || recorded(&app).await.len() == 7).await;
    let all: Vec<_> = recorded(&app).await.iter().map(|event| super::summary(event).0.to_owned()).collect();
    let user = format!("users/{id}");
    let table = [
        (String::new(), 7),
        ("?type=tumbler.user.created".to_owned(), 1),
        ("?type=tumbler.user.*".to_owned(), 3),
        ("?type=tumbler.user.created&type=tumbler.lock.broken".to_owned(), 2),
        ("?type=tumbler.user.*&type=tumbler.cache.set".to_owned(), 5),
        ("?type=*".to_owned(), 7),
        ("?type=tumbler.*".to_owned(), 7),
        (format!("?subject={user}"), 3),
        ("?subject=kv/a".to_owned(), 2),
        ("?subject=kv/*".to_owned(), 3),
        ("?subject=kv/a&type=tumbler.cache.deleted".to_owned(), 1),
        (format!("?subject={user}&type=tumbler.cache.*"), 0),
        // A part, or another case, selects nothing.
        ("?type=tumbler.user".to_owned(), 0),
        ("?type=tumbler.user.Created".to_owned(), 0),
        ("?subject=kv".to_owned(), 0),
    ];
    for (query, expected) in table {
        let mut stream = resume(&app, &query, "0").await;
        let mut seen = Vec::new();
        for _ in 0..expected {
            seen.push(stream.expect_next().await);
        }
        // The next event that is selected is the one after all of them.
        println!("{query}: {:?} of {all:?}", seen.iter().map(|event| &event.kind).collect::<Vec<_>>());
        assert!(seen.iter().all(|event| all.contains(&event.kind)), "{query}: {seen:?}");
    }
}

#[tokio::test]
async fn what_is_not_selected_does_not_come() {
    let app = App::spawn().await;
    let mut users = follow(&app, "?type=tumbler.user.created").await;
    let mut deletions = follow(&app, "?subject=kv/a&type=tumbler.cache.deleted").await;
    let mut ids = Vec::new();
    for name in ["ada", "bob", "eve"] {
        ids.push(write(&app, name).await);
    }
    for id in ids {
        let event = users.expect_next().await;
        assert_eq!(
            (event.kind.as_str(), &event.json()["subject"]),
            ("tumbler.user.created", &json!(format!("users/{id}")))
        );
        let event = deletions.expect_next().await;
        assert_eq!((event.kind.as_str(), &event.json()["subject"]), ("tumbler.cache.deleted", &json!("kv/a")));
    }
}

#[tokio::test]
async fn a_star_inside_a_subject_is_a_character() {
    let app = App::spawn().await;
    let mut stream = follow(&app, "?subject=kv/a*c").await;
    for key in ["abc", "a*cd", "a*c"] {
        app.put(format!("/api/cache/{key}")).json(json!(1)).await.expect_success();
    }
    assert_eq!(stream.expect_next().await.json()["subject"], "kv/a*c");
}

#[tokio::test]
async fn percent_encoded_filters_are_decoded() {
    let app = App::spawn().await;
    let mut stream = follow(&app, "?subject=kv%2F%C3%A4%20b%2A").await;
    app.put("/api/cache/%C3%A4x").json(json!(1)).await.expect_success();
    app.put("/api/cache/%C3%A4%20bc").json(json!(1)).await.expect_success();
    assert_eq!(stream.expect_next().await.json()["subject"], "kv/ä bc");
}
