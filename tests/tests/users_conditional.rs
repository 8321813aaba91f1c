//! Conditional requests (RFC 9110, section 13): reads that cost no body, writes that lose no update.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;

use answer::read;
use blackbox::App;
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn a_client_that_has_the_user_gets_no_body() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    for known in ["\"1\"", "W/\"1\"", "\"7\", \"1\"", "*"] {
        let answer = read(app.get_user_unless(id, known).await).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (304, ""), "{known}");
        assert_eq!(answer.header("etag"), "\"1\"");
        assert_eq!(answer.header("cache-control"), "private, no-cache");
        assert!(answer.header("cache-status").starts_with("tumbler; "), "{answer:?}");
        assert_eq!(answer.header("content-type"), "");
    }
    for other in ["\"2\"", "\"11\"", "1", "\"\""] {
        assert_eq!(app.get_user_unless(id, other).await.status(), 200, "{other}");
    }
    assert_eq!(app.put_user(id, &json!({"name": "Al"})).await.status(), 200);
    let changed = read(app.get_user_unless(id, "\"1\"").await).await;
    assert_eq!((changed.status.as_u16(), changed.header("etag")), (200, "\"2\""));
    let head = app.request(Method::HEAD, &format!("/users/{id}")).header("if-none-match", "\"2\"");
    assert_eq!(read(head.send().await.unwrap()).await.status, 304);
    assert_eq!(app.get_user_unless(id + 1, "*").await.status(), 404);
}

#[tokio::test]
async fn lists_have_entity_tags_too() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    for path in ["/users".to_owned(), "/users?limit=1".into(), format!("/users?ids={id}")] {
        let first = read(app.get(&path).await).await;
        let tag = first.header("etag").to_owned();
        assert!(tag.starts_with('"') && tag.len() > 10, "{first:?}");
        let conditional = || app.request(Method::GET, &path).header("if-none-match", &tag).send();
        let known = read(conditional().await.unwrap()).await;
        assert_eq!((known.status.as_u16(), known.header("etag")), (304, tag.as_str()), "{path}");
        app.put_user(id, &json!({"isActive": true})).await;
        let changed = read(conditional().await.unwrap()).await;
        assert_eq!(changed.status, 200, "{path}");
        assert_ne!(changed.header("etag"), tag);
    }
}

#[tokio::test]
async fn who_is_slower_is_told_and_changes_nothing() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    assert_eq!(app.put_user_if(id, "\"1\"", &json!({"name": "First"})).await.status(), 200);
    for stale in ["\"1\"", "\"3\"", "W/\"2\"", "\"abc\"", "\"1\", \"3\"", "\"02\""] {
        for method in [Method::PUT, Method::PATCH, Method::DELETE] {
            let request = app.request(method.clone(), &format!("/users/{id}")).header("if-match", stale);
            let request = if method == Method::DELETE { request } else { request.json(&json!({"name": "Second"})) };
            read(request.send().await.unwrap()).await.expect_problem(412, "precondition-failed");
        }
    }
    let user = read(app.get_user(id).await).await.json();
    assert_eq!((&user["name"], &user["version"]), (&json!("First"), &json!(2)));
    for (current, version) in [("\"2\"", 3), ("*", 4), ("\"9\", \"4\"", 5)] {
        let answer = read(app.put_user_if(id, current, &json!({"name": "Third"})).await).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["version"]), (200, &json!(version)), "{current}");
    }
    let delete = app.request(Method::DELETE, &format!("/users/{id}")).header("if-match", "\"5\"");
    assert_eq!(delete.send().await.unwrap().status(), 204);
    let gone = app.put_user_if(id, "\"6\"", &json!({"name": "Fourth"})).await;
    read(gone).await.expect_problem(404, "not-found");
}

/// The test of lost updates: many clients add 1 to a counter kept in the name, each under If-Match.
#[tokio::test]
async fn no_update_is_lost_between_clients_that_use_if_match() {
    const CLIENTS: usize = 8;
    const EACH: usize = 10;
    let app = App::spawn().await;
    let id = app.given_user_id("00").await;
    let clients = (0..CLIENTS).map(|_| {
        let api = app.api.clone();
        tokio::spawn(async move {
            let mut conflicts = 0;
            for _ in 0..EACH {
                loop {
                    let current = read(api.get_user(id).await).await;
                    let count: usize = current.json()["name"].as_str().unwrap().parse().unwrap();
                    let next = json!({"name": format!("{:02}", count + 1)});
                    match api.put_user_if(id, current.header("etag"), &next).await.status().as_u16() {
                        200 => break,
                        412 => conflicts += 1,
                        other => panic!("{other}"),
                    }
                }
            }
            conflicts
        })
    });
    let mut conflicts = 0;
    for client in clients.collect::<Vec<_>>() {
        conflicts += client.await.unwrap();
    }
    let user: Value = app.get_user(id).await.json().await.unwrap();
    assert_eq!(user["name"], format!("{}", CLIENTS * EACH));
    assert_eq!(user["version"], 1 + CLIENTS * EACH);
    assert!(conflicts > 0, "without a single conflict this test shows nothing");
}
