//! Bodies that the users service refuses. Each response names the member, and nothing is written.

use std::time::Duration;

use blackbox::{App, Response};
use reqwest::Method;
use serde_json::{Value, json};

async fn send(app: &App, method: Method, path: &str, body: impl Into<Vec<u8>>) -> Response {
    app.request(method, path).json_text(body).await
}

async fn count(app: &App) -> i64 {
    app.db().await.query_one("SELECT count(*) FROM users", &[]).await.unwrap().get(0)
}

/// Each route with a body: method, path, and what stands around one user.
fn bodies(id: i64) -> [(Method, String, &'static str, &'static str); 4] {
    [
        (Method::POST, "/users".to_owned(), "", ""),
        (Method::POST, "/users/batch".to_owned(), "[", "]"),
        (Method::PUT, format!("/users/{id}"), "", ""),
        (Method::PATCH, format!("/users/{id}"), "", ""),
    ]
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused() {
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
            let response = send(&app, method.clone(), &path, body).await;
            response.expect_problem(400, "malformed-json");
        }
        let deep = format!("{open}{}{close}", "[".repeat(10_000));
        send(&app, method, &path, deep).await.expect_problem(400, "malformed-json");
    }
    assert_eq!(count(&app).await, 1);
}

#[tokio::test]
async fn other_media_types_are_refused() {
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
            let request = app.request(method.clone(), &path).header("content-type", media_type).body(body);
            let response = request.await;
            assert_eq!(response.expect_errors(415, "unsupported-media-type"), ["content-type"]);
            assert_eq!(response.header(field), "application/json");
        }
        let without = app.request(method, &path).body(body).await;
        assert_eq!(without.expect_errors(415, "unsupported-media-type"), ["content-type"]);
    }
    let request = app.post("/users").header("content-type", "Application/JSON; charset=utf-8").body(body);
    let response = request.await;
    assert_eq!(response.status(), 201, "{response:?}");
}

/// A compressed body is neither read as if it were plain, nor decompressed: a small one may become very large.
#[tokio::test]
async fn compressed_bodies_are_refused() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    let plain = r#"{"name":"Ada","email":"a@b.co"}"#.as_bytes();
    // What gzip makes of `{}`.
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\x02\x03\xab\xae\x05\0\x43\xbf\xa6\xa3\x02\0\0\0";
    for (method, path, ..) in bodies(id) {
        for (coding, body) in [("gzip", &gzip[..]), ("gzip", plain), ("br", plain), ("identity, deflate", plain)] {
            let response = app.request(method.clone(), &path).header("content-encoding", coding).json_text(body).await;
            assert_eq!(response.expect_errors(415, "unsupported-media-type"), ["content-encoding"], "{coding}");
            assert_eq!(response.header("accept-encoding"), "identity", "{method} {path}: {coding}");
        }
    }
    assert_eq!(count(&app).await, 1);
    let accepted = app.post("/users").header("content-encoding", "identity").json_text(plain).await;
    assert_eq!(accepted.status(), 201, "{accepted:?}");
}

/// RFC 9110, section 14.5: otherwise the part would be stored as the whole.
#[tokio::test]
async fn a_put_of_a_part_is_refused() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    let put = app.put(format!("/users/{id}")).header("content-range", "bytes 0-13/100").json(json!({"name": "Al"}));
    assert_eq!(put.await.expect_errors(400, "invalid-parameter"), ["content-range"]);
    assert_eq!(app.get(format!("/users/{id}")).await.json()["version"], 1);
}

/// docs/users.md has the rule.
#[tokio::test]
async fn only_addresses_of_the_documented_form_are_accepted() {
    let app = App::spawn().await;
    for email in [
        "a@123.123.123.123",
        "a@b_c.com",
        "a@b.c",
        "a@b.c0",
        "a@-b.co",
        "a@b-.co",
        "a@b..co",
        "a@b.co.",
        "a@[127.0.0.1]",
        "a@localhost",
        "\"a\"@b.co",
        "a..b@c.co",
        "Al <a@b.co>",
    ] {
        let response = app.post("/users").json(json!({"name": "Al", "email": email})).await;
        assert_eq!(response.expect_errors(422, "validation"), ["/email"], "{email}");
    }
    assert_eq!(count(&app).await, 0);
    for email in ["x_y+z!@a-b.example", "1@1.2.co", "a@xn--bcher-kva.xn--p1ai", "A.B@C.MUSEUM"] {
        let response = app.post("/users").json(json!({"name": "Al", "email": email})).await;
        assert_eq!((response.status(), &response.json()["email"]), (201, &json!(email)), "{response:?}");
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    let padded = |user: &str, size: usize| format!("{user}{}", " ".repeat(size - user.len()));
    let user = r#"{"name":"Bob","email":"bob@b.co"}"#;
    for (method, path) in [(Method::POST, "/users".into()), (Method::PUT, format!("/users/{id}"))] {
        for size in [64 * 1024 + 1, 3_000_000] {
            let response = send(&app, method.clone(), &path, padded(user, size)).await;
            assert_eq!(response.expect_problem(413, "content-too-large")["limitBytes"], 64 * 1024);
        }
    }
    let largest = send(&app, Method::POST, "/users", padded(user, 64 * 1024)).await;
    assert_eq!(largest.status(), 201, "{largest:?}");
    let batch = r#"[{"name":"Eve","email":"eve@b.co"}]"#;
    let response = send(&app, Method::POST, "/users/batch", padded(batch, 1024 * 1024 + 1)).await;
    assert_eq!(response.expect_problem(413, "content-too-large")["limitBytes"], 1024 * 1024);
    let largest = send(&app, Method::POST, "/users/batch", padded(batch, 1024 * 1024)).await;
    assert_eq!(largest.status(), 201, "{largest:?}");
}

#[tokio::test]
async fn a_chunked_body_that_is_too_large_is_refused() {
    let app = App::spawn().await;
    // The client of the harness does not send chunks.
    let response = tokio::task::spawn_blocking({
        let address = app.host.address();
        move || {
            use std::io::{Read, Write};
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(90))).unwrap();
            let head = "POST /users HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
            stream.write_all(head.as_bytes()).unwrap();
            for _ in 0..9 {
                // 8 KiB each. The server may have responded and closed already.
                if stream.write_all(format!("2000\r\n{}\r\n", " ".repeat(0x2000)).as_bytes()).is_err() {
                    break;
                }
            }
            let _ = stream.write_all(b"0\r\n\r\n");
            let mut response = Vec::new();
            let _ = stream.read_to_end(&mut response);
            String::from_utf8_lossy(&response).into_owned()
        }
    });
    let response = response.await.unwrap();
    assert!(response.starts_with("HTTP/1.1 413 "), "{response}");
}

/// Members that every route refuses, and the pointer in the response.
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
async fn an_invalid_member_is_refused_and_named() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    let good = json!({"name": "Good", "email": "good@example.org"});
    for (members, pointer) in bad_members() {
        let mut user = good.clone();
        user.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let created = app.post("/users").json(&user).await;
        assert_eq!(created.expect_errors(422, "validation"), [pointer], "{members}");
        let batch = app.post("/users/batch").json(json!([good, good, user])).await;
        assert_eq!(batch.expect_errors(422, "validation"), [format!("/2{pointer}")], "{members}");
        for request in [app.put(format!("/users/{id}")), app.patch(format!("/users/{id}"))] {
            assert_eq!(request.json(&members).await.expect_errors(422, "validation"), [pointer], "{members}");
        }
    }
    assert_eq!(count(&app).await, 1);
    assert_eq!(app.get(format!("/users/{id}")).await.json()["version"], 1);
}

#[tokio::test]
async fn a_body_of_another_shape_is_refused() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    assert_eq!(app.post("/users").json(json!({})).await.expect_errors(422, "validation"), ["/email", "/name"]);
    for request in [app.put(format!("/users/{id}")), app.patch(format!("/users/{id}"))] {
        assert_eq!(request.json(json!({})).await.expect_errors(422, "validation"), [""]);
    }
    for other in [json!([]), json!(["Ada", "a@b.co"]), json!("Ada"), json!(null), json!(5)] {
        assert_eq!(app.post("/users").json(&other).await.expect_errors(422, "validation"), [""], "{other}");
        assert_eq!(
            app.put(format!("/users/{id}")).json(&other).await.expect_errors(422, "validation"),
            [""],
            "{other}"
        );
    }
    for other in [json!([]), json!({}), json!("Ada"), json!(null)] {
        assert_eq!(app.post("/users/batch").json(&other).await.expect_errors(422, "validation"), [""], "{other}");
    }
    for other in [json!(5), json!(["Ada", "a@b.co"])] {
        assert_eq!(
            app.post("/users/batch").json(json!([other])).await.expect_errors(422, "validation"),
            ["/0"],
            "{other}"
        );
    }
    let many: Vec<_> = (0..1001).map(|n| json!({"name": "Al", "email": format!("u{n}@b.co")})).collect();
    assert_eq!(app.post("/users/batch").json(json!(many)).await.expect_errors(422, "validation"), [""]);
    let duplicate = r#"{"name":"Ada","name":"Bob","email":"a@b.co"}"#;
    send(&app, Method::POST, "/users", duplicate).await.expect_problem(422, "validation");
    assert_eq!(count(&app).await, 1);
}

#[tokio::test]
async fn all_broken_rules_are_reported_together() {
    let app = App::spawn().await;
    let bad = json!({"name": "A", "email": "nobody", "roles": [""]});
    assert_eq!(app.post("/users").json(&bad).await.expect_errors(422, "validation"), ["/email", "/name", "/roles"]);
    let batch = app.post("/users/batch").json(json!([bad, {"name": "Ada", "email": "a@b.co"}, {}])).await;
    let errors = batch.expect_errors(422, "validation");
    assert_eq!(errors, ["/0/email", "/0/name", "/0/roles", "/2/email", "/2/name"]);
}

#[tokio::test]
async fn names_at_the_limits_are_stored_unchanged() {
    let app = App::spawn().await;
    let names = ["Al", "李龍", &"é".repeat(255), " Al ", "O'Brien; DROP TABLE users; --", "\u{1F600}\u{1F600}"];
    for (n, name) in names.iter().enumerate() {
        let created = app.post("/users").json(json!({"name": name, "email": format!("n{n}@b.co")})).await;
        assert_eq!(created.status(), 201, "{created:?}");
        let found = app.get(created.header("location")).await;
        assert_eq!(found.json()["name"], **name);
    }
}
