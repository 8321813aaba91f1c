//! PUT and PATCH /users/:id.

use blackbox::App;
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn put_and_patch_change_the_given_fields() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    let before = app.get(format!("/users/{id}")).await.json();
    let steps = [
        (Method::PUT, json!({"name": "Ada Lovelace"})),
        (Method::PATCH, json!({"email": "Countess@example.org", "roles": ["admin"]})),
        (Method::PUT, json!({"isActive": false})),
        (Method::PATCH, json!({"name": "Ada", "email": "ADA@example.org", "roles": [], "isActive": true})),
    ];
    let mut expected = before;
    for (version, (method, fields)) in (2..).zip(steps) {
        let response = app.request(method.clone(), format!("/users/{id}")).json(&fields).await;
        assert_eq!(response.status(), 200, "{response:?}");
        // A PUT keeps the members that it does not name. So it must not answer with a tag (RFC 9110, section 9.3.4).
        let tag = if method == Method::PUT { String::new() } else { format!("\"{version}\"") };
        assert_eq!((response.header("etag"), response.header("last-modified")), (tag.as_str(), ""), "{method}");
        for (member, value) in fields.as_object().unwrap() {
            expected[member] = value.clone();
        }
        expected["version"] = json!(version);
        let mut changed = response.json();
        assert!(changed["updatedAt"].as_str() >= expected["updatedAt"].as_str());
        expected["updatedAt"] = changed["updatedAt"].take();
        changed["updatedAt"] = expected["updatedAt"].clone();
        assert_eq!(changed, expected, "{method} {fields}");
        assert_eq!(app.get(format!("/users/{id}")).await.text(), response.text(), "reads see it at once");
    }
}
