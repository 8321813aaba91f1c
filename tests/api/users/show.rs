//! GET and HEAD /users/:id.

use blackbox::App;

#[tokio::test]
async fn head_returns_the_header_fields_of_get() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    for path in [format!("/users/{id}"), "/users".to_owned(), format!("/users?ids={id}")] {
        for _ in 0..2 {
            let get = app.get(&path).await;
            let head = app.head(&path).await;
            assert_eq!((head.status(), head.text()), (200, ""), "{path}");
            for field in ["content-length", "content-type", "etag", "cache-control"] {
                assert_eq!(head.header(field), get.header(field), "{field} of {path}");
                assert_ne!(head.header(field), "", "{field} of {path}");
            }
            assert_eq!(head.header("content-length"), get.text().len().to_string());
        }
    }
    let missing = app.head(format!("/users/{}", id + 1)).await;
    assert_eq!((missing.status(), missing.text()), (404, ""));
}
