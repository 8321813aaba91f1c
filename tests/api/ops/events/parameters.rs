//! Parameters of GET /api/events that are not valid.

use blackbox::App;
use reqwest::Method;

#[tokio::test]
async fn invalid_parameters_are_named() {
    let app = App::spawn().await;
    let long = "x".repeat(65);
    let many: Vec<_> = (0..17).map(|number| format!("type=t{number}")).collect();
    let table = [
        ("?since=1".to_owned(), "since"),
        ("?Type=a".to_owned(), "Type"),
        // A star is only at the end.
        ("?type=tumbler.*.created".to_owned(), "type"),
        ("?lastEventId=x".to_owned(), "lastEventId"),
        ("?lastEventId=".to_owned(), "lastEventId"),
        ("?lastEventId=1-x".to_owned(), "lastEventId"),
        ("?lastEventId=-1".to_owned(), "lastEventId"),
        ("?lastEventId=1-2-3".to_owned(), "lastEventId"),
        ("?lastEventId=99999999999999999999-0".to_owned(), "lastEventId"),
        ("?lastEventId=1-0&lastEventId=2-0".to_owned(), "lastEventId"),
        ("?channel=".to_owned(), "channel"),
        ("?channel=a%20b".to_owned(), "channel"),
        ("?channel=a/b".to_owned(), "channel"),
        ("?channel=*".to_owned(), "channel"),
        (format!("?channel={long}"), "channel"),
        ("?channel=a&channel=b".to_owned(), "channel"),
        ("?subject=a&subject=b".to_owned(), "subject"),
        (format!("?{}", many.join("&")), "type"),
    ];
    for (query, field) in table {
        let response = app.get(format!("/api/events{query}")).await;
        assert_eq!(response.expect_errors(400, "invalid-parameter"), [field], "{query}");
    }
    let response = app.get("/api/events?channel=orders&type=tumbler.message").await;
    response.expect_problem(400, "invalid-parameter");
    for id in ["x", "1-", "-", "1-2-3", "a-b"] {
        let response = app.get("/api/events").header("last-event-id", id).await;
        let fields = response.expect_errors(400, "invalid-parameter");
        assert_eq!(fields.len(), 1, "{fields:?}");
        assert_eq!(fields[0].to_lowercase(), "last-event-id", "{id}");
    }
}

#[tokio::test]
async fn other_methods_and_paths_are_refused() {
    let app = App::spawn().await;
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let response = app.request(method, "/api/events").await;
        response.expect_problem(405, "method-not-allowed");
        assert!(response.header("allow").contains("GET"), "{response:?}");
    }
    for path in ["/api/publish", "/api/publish/a/b", "/api/publish/"] {
        let response = app.post(path).json(serde_json::json!(1)).await;
        assert!([400, 404].contains(&response.status()), "{path}: {response:?}");
    }
}
