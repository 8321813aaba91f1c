//! Bodies that the users service refuses, each with its own clear problem that names the member, and nothing written.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;

use answer::{Answer, read};
use blackbox::App;
use reqwest::Method;
use serde_json::{Value, json};

async fn send(app: &App, method: Method, path: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
    let request = app.request(method, path).header("content-type", content_type).body(body.into());
    read(request.send().await.unwrap()).await
}

async fn count(app: &App) -> i64 {
    app.db().await.query_one("SELECT count(*) FROM users", &[]).await.unwrap().get(0)
}

/// The three kinds of bodies: their method, path, and how one user's members are wrapped.
fn bodies(id: i64) -> [(Method, String, &'static str, &'static str); 4] {
    [
        (Method::POST, "/users".to_owned(), "", ""),
        (Method::POST, "/users/batch".to_owned(), "[", "]"),
        (Method::PUT, format!("/users/{id}"), "", ""),
        (Method::PATCH, format!("/users/{id}"), "", ""),
    ]
}

#[tokio::test]
async fn what_is_not_json() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    for (method, path, open, close) in bodies(id) {
        for bad in [
            &b""[..],
            b"{",
            b"{\"name\": \"Ada\",}",
            b"name=Ada",
            b"{\"name\": \"Ada\"} {}",
            b"{\"name\": 5",
            b"{\"name\": \"\xff\xfe\"}",
            b"{\"name\": \"\\ud800\"}",
            b"{\"name\": \"a\0b\"}",
            b"\xef\xbb\xbf{}",
        ] {
            let body = [open.as_bytes(), bad, if bad.is_empty() { b"" } else { close.as_bytes() }].concat();
            let answer = send(&app, method.clone(), &path, "application/json", body).await;
            answer.expect_problem(400, "malformed-json");
        }
        let deep = format!("{open}{}{close}", "[".repeat(10_000));
        send(&app, method, &path, "application/json", deep).await.expect_problem(400, "malformed-json");
    }
    assert_eq!(count(&app).await, 1);
}

#[tokio::test]
async fn media_types() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    let body = r#"{"name":"Ada","email":"a@b.co"}"#;
    for (method, path, ..) in bodies(id) {
        let field = match method {
            Method::POST => "accept-post",
            Method::PATCH => "accept-patch",
            _ => "accept",
        };
        for media_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
            let answer = send(&app, method.clone(), &path, media_type, body).await;
            assert_eq!(answer.expect_errors(415, "unsupported-media-type"), ["content-type"]);
            assert_eq!(answer.header(field), "application/json");
        }
        let without = read(app.request(method, &path).body(body).send().await.unwrap()).await;
        assert_eq!(without.expect_errors(415, "unsupported-media-type"), ["content-type"]);
    }
    let answer = send(&app, Method::POST, "/users", "Application/JSON; charset=utf-8", body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

#[tokio::test]
async fn bodies_that_are_too_large() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    let padded = |user: &str, size: usize| format!("{user}{}", " ".repeat(size - user.len()));
    let user = r#"{"name":"Bob","email":"bob@b.co"}"#;
    for (method, path) in [(Method::POST, "/users".into()), (Method::PUT, format!("/users/{id}"))] {
        for size in [64 * 1024 + 1, 3_000_000] {
            let answer = send(&app, method.clone(), &path, "application/json", padded(user, size)).await;
            assert_eq!(answer.expect_problem(413, "content-too-large")["limitBytes"], 64 * 1024);
        }
    }
    let largest = send(&app, Method::POST, "/users", "application/json", padded(user, 64 * 1024)).await;
    assert_eq!(largest.status, 201, "{largest:?}");
    let batch = r#"[{"name":"Eve","email":"eve@b.co"}]"#;
    let answer = send(&app, Method::POST, "/users/batch", "application/json", padded(batch, 1024 * 1024 + 1)).await;
    assert_eq!(answer.expect_problem(413, "content-too-large")["limitBytes"], 1024 * 1024);
    let largest = send(&app, Method::POST, "/users/batch", "application/json", padded(batch, 1024 * 1024)).await;
    assert_eq!(largest.status, 201, "{largest:?}");
}

#[tokio::test]
async fn a_body_that_does_not_say_its_length_is_limited_too() {
    let app = App::spawn().await;
    // Chunks: reqwest cannot stream here, so the request is written by hand.
    let answer = tokio::task::spawn_blocking({
        let address = app.host.address();
        move || {
            use std::io::{Read, Write};
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
            let head = "POST /users HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
            stream.write_all(head.as_bytes()).unwrap();
            for _ in 0..9 {
                // 8 KiB each. The server may have answered and closed already.
                if stream.write_all(format!("2000\r\n{}\r\n", " ".repeat(0x2000)).as_bytes()).is_err() {
                    break;
                }
            }
            let _ = stream.write_all(b"0\r\n\r\n");
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            String::from_utf8_lossy(&answer).into_owned()
        }
    });
    let answer = answer.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

/// Members that are refused in every kind of body, and the member that the answer names.
fn bad_members() -> Vec<(Value, &'static str)> {
    let long = |count| "x".repeat(count);
    vec![
        (json!({"name": ""}), "/name"),
        (json!({"name": "A"}), "/name"),
        (json!({"name": "  A  "}), "/name"),
        (json!({"name": long(256)}), "/name"),
        (json!({"name": "Ada\u{0}"}), "/name"),
        (json!({"name": "Ada\nLovelace"}), "/name"),
        (json!({"name": 5}), "/name"),
        (json!({"name": null}), "/name"),
        (json!({"name": ["Ada"]}), "/name"),
        (json!({"email": "nobody"}), "/email"),
        (json!({"email": "a@b"}), "/email"),
        (json!({"email": "a@b.co "}), "/email"),
        (json!({"email": "a\u{0}@b.co"}), "/email"),
        (json!({"email": "é@b.co"}), "/email"),
        (json!({"email": format!("a@{}.co", long(300))}), "/email"),
        (json!({"email": true}), "/email"),
        (json!({"email": null}), "/email"),
        (json!({"roles": "admin"}), "/roles"),
        (json!({"roles": null}), "/roles"),
        (json!({"roles": ["admin", 5]}), "/roles/1"),
        (json!({"roles": ["admin", null]}), "/roles/1"),
        (json!({"roles": [""]}), "/roles"),
        (json!({"roles": ["a\u{0}"]}), "/roles"),
        (json!({"roles": ["a", "b", "a"]}), "/roles"),
        (json!({"roles": [long(65)]}), "/roles"),
        (json!({"roles": (0..33).map(|n| n.to_string()).collect::<Vec<_>>()}), "/roles"),
        (json!({"isActive": "yes"}), "/isActive"),
        (json!({"isActive": 1}), "/isActive"),
        (json!({"isActive": null}), "/isActive"),
        (json!({"id": 1}), "/id"),
        (json!({"version": 1}), "/version"),
        (json!({"is_active": true}), "/is_active"),
        (json!({"a/b~c": 1}), "/a~1b~0c"),
    ]
}

#[tokio::test]
async fn members_that_are_not_valid() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    let good = json!({"name": "Good", "email": "good@example.org"});
    for (members, pointer) in bad_members() {
        let mut user = good.clone();
        user.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let created = read(app.create_user(&user).await).await;
        assert_eq!(created.expect_errors(422, "validation"), [pointer], "{members}");
        let batch = read(app.create_users(&json!([good, good, user])).await).await;
        assert_eq!(batch.expect_errors(422, "validation"), [format!("/2{pointer}")], "{members}");
        for answer in [app.put_user(id, &members).await, app.patch_user(id, &members).await] {
            assert_eq!(read(answer).await.expect_errors(422, "validation"), [pointer], "{members}");
        }
    }
    assert_eq!(count(&app).await, 1);
    assert_eq!(read(app.get_user(id).await).await.json()["version"], 1);
}

#[tokio::test]
async fn bodies_of_another_shape() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    assert_eq!(read(app.create_user(&json!({})).await).await.expect_errors(422, "validation"), ["/email", "/name"]);
    for answer in [app.put_user(id, &json!({})).await, app.patch_user(id, &json!({})).await] {
        assert_eq!(read(answer).await.expect_errors(422, "validation"), [""]);
    }
    for other in [json!([]), json!(["Ada", "a@b.co"]), json!("Ada"), json!(null), json!(5)] {
        assert_eq!(read(app.create_user(&other).await).await.expect_errors(422, "validation"), [""], "{other}");
        assert_eq!(read(app.put_user(id, &other).await).await.expect_errors(422, "validation"), [""], "{other}");
    }
    for other in [json!([]), json!({}), json!("Ada"), json!(null)] {
        assert_eq!(read(app.create_users(&other).await).await.expect_errors(422, "validation"), [""], "{other}");
    }
    for other in [json!(5), json!(["Ada", "a@b.co"])] {
        assert_eq!(
            read(app.create_users(&json!([other])).await).await.expect_errors(422, "validation"),
            ["/0"],
            "{other}"
        );
    }
    let many: Vec<_> = (0..1001).map(|n| json!({"name": "Al", "email": format!("u{n}@b.co")})).collect();
    assert_eq!(read(app.create_users(&json!(many)).await).await.expect_errors(422, "validation"), [""]);
    let doubled = r#"{"name":"Ada","name":"Bob","email":"a@b.co"}"#;
    send(&app, Method::POST, "/users", "application/json", doubled).await.expect_problem(422, "validation");
    assert_eq!(count(&app).await, 1);
}

#[tokio::test]
async fn several_broken_rules_are_told_at_once() {
    let app = App::spawn().await;
    let bad = json!({"name": "A", "email": "nobody", "roles": [""]});
    assert_eq!(read(app.create_user(&bad).await).await.expect_errors(422, "validation"), ["/email", "/name", "/roles"]);
    let batch = read(app.create_users(&json!([bad, {"name": "Ada", "email": "a@b.co"}, {}])).await).await;
    let errors = batch.expect_errors(422, "validation");
    assert_eq!(errors, ["/0/email", "/0/name", "/0/roles", "/2/email", "/2/name"]);
}

#[tokio::test]
async fn names_at_the_bounds_are_kept_as_given() {
    let app = App::spawn().await;
    let names = ["Al", "李龍", &"é".repeat(255), " Al ", "O'Brien; DROP TABLE users; --", "\u{1F600}\u{1F600}"];
    for (n, name) in names.iter().enumerate() {
        let created = read(app.create_user(&json!({"name": name, "email": format!("n{n}@b.co")})).await).await;
        assert_eq!(created.status, 201, "{created:?}");
        let found = read(app.get(created.header("location")).await).await;
        assert_eq!(found.json()["name"], **name);
    }
}
