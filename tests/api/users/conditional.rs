//! Conditional requests (RFC 9110, section 13): reads without a body, writes that lose no update.

use blackbox::App;
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn a_client_that_knows_the_current_version_gets_no_body() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    for known in ["\"1\"", "W/\"1\"", "\"7\", \"1\"", "*"] {
        let response = app.get(format!("/users/{id}")).header("if-none-match", known).await;
        assert_eq!((response.status(), response.text()), (304, ""), "{known}");
        assert_eq!(response.header("etag"), "\"1\"");
        assert_eq!(response.header("cache-control"), "private, no-cache");
        assert!(response.header("cache-status").starts_with("tumbler; "), "{response:?}");
        assert_eq!(response.header("content-type"), "");
    }
    for other in ["\"2\"", "\"11\"", "1", "\"\""] {
        assert_eq!(app.get(format!("/users/{id}")).header("if-none-match", other).await.status(), 200, "{other}");
    }
    assert_eq!(app.put(format!("/users/{id}")).json(json!({"name": "Al"})).await.status(), 200);
    let changed = app.get(format!("/users/{id}")).header("if-none-match", "\"1\"").await;
    assert_eq!((changed.status(), changed.header("etag")), (200, "\"2\""));
    let head = app.head(format!("/users/{id}")).header("if-none-match", "\"2\"");
    assert_eq!(head.await.status(), 304);
    assert_eq!(app.get(format!("/users/{}", id + 1)).header("if-none-match", "*").await.status(), 404);
}

#[tokio::test]
async fn lists_have_entity_tags() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    for path in ["/users".to_owned(), "/users?limit=1".into(), format!("/users?ids={id}")] {
        let first = app.get(&path).await;
        let tag = first.header("etag").to_owned();
        assert!(tag.starts_with('"') && tag.len() > 10, "{first:?}");
        let conditional = || app.get(&path).header("if-none-match", &tag).send();
        let known = conditional().await.unwrap();
        assert_eq!((known.status(), known.header("etag")), (304, tag.as_str()), "{path}");
        app.put(format!("/users/{id}")).json(json!({"isActive": true})).await;
        let changed = conditional().await.unwrap();
        assert_eq!(changed.status(), 200, "{path}");
        assert_ne!(changed.header("etag"), tag);
    }
}

#[tokio::test]
async fn a_write_with_an_outdated_entity_tag_is_refused() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    assert_eq!(
        app.put(format!("/users/{id}")).header("if-match", "\"1\"").json(json!({"name": "First"})).await.status(),
        200
    );
    for stale in ["\"1\"", "\"3\"", "W/\"2\"", "\"abc\"", "\"1\", \"3\"", "\"02\""] {
        for method in [Method::PUT, Method::PATCH, Method::DELETE] {
            let request = app.request(method.clone(), format!("/users/{id}")).header("if-match", stale);
            let request = if method == Method::DELETE { request } else { request.json(json!({"name": "Second"})) };
            request.await.expect_problem(412, "precondition-failed");
        }
    }
    let user = app.get(format!("/users/{id}")).await.json();
    assert_eq!((&user["name"], &user["version"]), (&json!("First"), &json!(2)));
    for (current, version) in [("\"2\"", 3), ("*", 4), ("\"9\", \"4\"", 5)] {
        let response = app.put(format!("/users/{id}")).header("if-match", current).json(json!({"name": "Third"})).await;
        assert_eq!((response.status(), &response.json()["version"]), (200, &json!(version)), "{current}");
    }
    let delete = app.delete(format!("/users/{id}")).header("if-match", "\"5\"");
    assert_eq!(delete.await.status(), 204);
    let gone = app.put(format!("/users/{id}")).header("if-match", "\"6\"").json(json!({"name": "Fourth"})).await;
    gone.expect_problem(404, "not-found");
}

/// RFC 9110, sections 13.1.2 and 13.2.2: what the client has must not be there.
#[tokio::test]
async fn a_write_is_refused_if_the_user_is_what_the_client_says_it_is_not() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    let path = format!("/users/{id}");
    let writes = || {
        [
            app.put(&path).json(json!({"name": "Second"})),
            app.patch(&path).json(json!({"name": "Second"})),
            app.delete(&path),
        ]
    };
    for (if_match, if_none_match, field) in [
        (None, "*", "if-none-match"),
        (None, "\"1\"", "if-none-match"),
        (None, "W/\"1\"", "if-none-match"),
        (None, "\"7\", \"1\"", "if-none-match"),
        (Some("\"1\""), "\"1\"", "if-none-match"),
        (Some("*"), "*", "if-none-match"),
        (Some("\"2\""), "\"3\"", "if-match"),
    ] {
        for write in writes() {
            let write = if_match.into_iter().fold(write, |write, tags| write.header("if-match", tags));
            let refused = write.header("if-none-match", if_none_match).await;
            refused.expect_problem(412, "precondition-failed");
            assert_eq!(app.get(&path).await.json()["version"], 1, "{field}: {if_match:?} {if_none_match}");
        }
    }
    let changed = app.patch(&path).header("if-none-match", "\"2\", \"x\"").json(json!({"name": "Second"})).await;
    assert_eq!((changed.status(), &changed.json()["version"]), (200, &json!(2)));
    let deleted = app.delete(&path).header("if-match", "\"2\"").header("if-none-match", "\"1\"").await;
    assert_eq!(deleted.status(), 204);
    for gone in writes() {
        gone.header("if-none-match", "*").await.expect_problem(404, "not-found");
    }
}

/// RFC 9110, section 13.1.1: also a read happens only if the condition holds.
#[tokio::test]
async fn a_read_with_an_outdated_if_match_is_refused() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    for path in [format!("/users/{id}"), "/users".to_owned(), format!("/users?ids={id}")] {
        let tag = app.get(&path).await.header("etag").to_owned();
        for (if_match, status) in [("\"99\"", 412), ("", 412), (&format!("W/{tag}"), 412), (&tag, 200), ("*", 200)] {
            // Also if the client has the current representation.
            for known in ["\"other\"", &tag] {
                let expected = if status == 200 && known == tag { 304 } else { status };
                for request in [app.get(&path), app.head(&path)] {
                    let response = request.header("if-match", if_match).header("if-none-match", known).await;
                    assert_eq!(response.status(), expected, "{path}: {if_match} {known}");
                    if status == 412 {
                        assert_eq!(response.header("cache-control"), "no-store");
                    }
                }
            }
        }
        let refused = app.get(&path).header("if-match", "\"99\"").await;
        assert_eq!(refused.expect_errors(412, "precondition-failed"), ["if-match"]);
    }
}

/// The target of `POST /users` is the list. A batch has a URL without a representation.
#[tokio::test]
async fn a_creation_is_refused_if_the_list_does_not_fit() {
    let app = App::spawn().await;
    let ada = json!({"name": "Ada", "email": "ada@example.org"});
    let tag = app.get("/users").await.header("etag").to_owned();
    for (field, value) in [("if-none-match", "*"), ("if-none-match", &tag), ("if-match", "\"99\"")] {
        let refused = app.post("/users").header(field, value).json(&ada).await;
        assert_eq!(refused.expect_errors(412, "precondition-failed"), [field], "{value}");
    }
    for value in ["*", &tag] {
        let refused = app.post("/users/batch").header("if-match", value).json(json!([ada])).await;
        assert_eq!(refused.expect_errors(412, "precondition-failed"), ["if-match"], "{value}");
    }
    assert_eq!(app.get("/users").await.json(), json!([]));
    assert_eq!(app.post("/users").header("if-match", &tag).json(&ada).await.status(), 201);
    app.post("/users").header("if-match", &tag).json(&ada).await.expect_problem(412, "precondition-failed");
    let batch = json!([{"name": "Eve", "email": "eve@example.org"}]);
    assert_eq!(app.post("/users/batch").header("if-none-match", "*").json(batch).await.status(), 201);
}

/// Many clients add 1 to a counter in the name of a user, each with If-Match.
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
                    let current = api.get(format!("/users/{id}")).await;
                    let count: usize = current.json()["name"].as_str().unwrap().parse().unwrap();
                    let next = json!({"name": format!("{:02}", count + 1)});
                    match api
                        .put(format!("/users/{id}"))
                        .header("if-match", current.header("etag"))
                        .json(&next)
                        .await
                        .status()
                    {
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
    let user: Value = app.get(format!("/users/{id}")).await.json();
    assert_eq!(user["name"], format!("{}", CLIENTS * EACH));
    assert_eq!(user["version"], 1 + CLIENTS * EACH);
    assert!(conflicts > 0, "without a conflict this test shows nothing");
}
