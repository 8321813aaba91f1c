//! The users service when it is stopped, slow, broken or of another opinion.

use std::time::{Duration, Instant};

use blackbox::{Api, App, Builder, Origin, Reply, Response, until, within};
use serde_json::{Value, json};

/// The user of the tests. Only the test's own users service knows it.
pub const USER: i64 = 7;
/// A port on which nobody listens.
const STOPPED: &str = "http://127.0.0.1:1";

pub fn using(url: &str) -> Builder {
    App::builder().variable("user_service_url", url).variable("user_service_egress", url)
}

pub fn user(id: i64, is_active: bool) -> Value {
    json!({
        "id": id, "name": "Ada", "email": "ada@example.org", "roles": ["user"], "isActive": is_active,
        "createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z", "archivedAt": null,
        "version": 1,
    })
}

pub fn path_of(id: i64) -> String {
    format!("/users/{id}")
}

pub async fn register(app: &Api, user: i64) -> Response {
    app.with_jwt(user, &["user"]).post("/sellers").json(json!({"businessName": "Ada & Co"})).await
}

pub fn expect_unavailable(response: &Response) {
    response.expect_problem(503, "user-service-unavailable");
    assert!(response.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0), "{response:?}");
}

async fn expect_no_seller(app: &App) {
    let count = app.db().await.query_one("SELECT count(*) FROM sellers", &[]).await.unwrap();
    assert_eq!(count.get::<_, i64>(0), 0, "a seller was registered");
}

#[tokio::test]
async fn by_default_the_users_of_this_application_register() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    assert_eq!(register(&app, id).await.status(), 201);
    register(&app, id + 1).await.expect_problem(404, "user-not-found");
    let gone = app.given_user_id("gone").await;
    app.delete(path_of(gone)).await.expect_success();
    register(&app, gone).await.expect_problem(404, "user-not-found");
    let idle = app.given_user_id("idle").await;
    app.patch(path_of(idle)).json(json!({"isActive": false})).await.expect_ok();
    assert_eq!(register(&app, idle).await.expect_problem(400, "user-inactive")["user"], path_of(idle));
    app.patch(path_of(idle)).json(json!({"isActive": true})).await.expect_ok();
    assert_eq!(register(&app, idle).await.status(), 201, "no answer is remembered");
}

#[tokio::test]
async fn a_user_may_be_the_whole_document_or_its_member_data() {
    let origin = Origin::start().await;
    let app = using(&origin.url()).spawn().await;
    let documents = [
        user(1, true),
        json!({"data": user(2, true)}),
        json!({"success": true, "data": user(3, true), "meta": {"took": 5}}),
        json!({"id": 4, "name": "Short", "email": "s@example.org", "isActive": true}),
        json!({"id": 5, "name": "Long", "email": "l@example.org", "isActive": true, "nickname": {"a": [1]}}),
    ];
    for (id, document) in (1..).zip(documents) {
        origin.reply(&path_of(id), Reply::json(document.to_string()));
        let response = register(&app, id).await;
        assert_eq!(response.status(), 201, "{document}: {response:?}");
    }
    assert_eq!(origin.count(), 5, "one request for each registration: {:?}", origin.requests());
    origin.reply(&path_of(6), Reply::json(json!({"data": user(6, false)}).to_string()));
    assert_eq!(register(&app, 6).await.expect_problem(400, "user-inactive")["user"], path_of(6));
}

#[tokio::test]
async fn a_user_that_the_service_does_not_know_is_not_found() {
    let origin = Origin::start().await;
    let app = using(&origin.url()).spawn().await;
    origin.reply(&path_of(USER), Reply::status(404));
    // Again and again: that is an answer, and no failure that opens the circuit.
    for count in 1..=8 {
        register(&app, USER).await.expect_problem(404, "user-not-found");
        assert_eq!(origin.count(), count);
    }
    expect_no_seller(&app).await;
    origin.reply(&path_of(USER), Reply::json(user(USER, true).to_string()));
    assert_eq!(register(&app, USER).await.status(), 201);
}

#[tokio::test]
async fn any_other_answer_is_a_failure_of_the_service() {
    let origin = Origin::start().await;
    let app = using(&origin.url()).spawn().await;
    let garbage = |text: &str| Reply::json(text);
    let replies = [
        Reply::status(500),
        Reply::status(503),
        Reply::status(401),
        Reply::status(204),
        Reply::status(302),
        Reply::status(400),
        garbage(""),
        garbage("garbage"),
        garbage("{"),
        garbage("[]"),
        garbage("null"),
        garbage("\"Ada\""),
        garbage("{}"),
        garbage("{\"data\":null}"),
        garbage("{\"data\":[]}"),
        garbage("{\"data\":{}}"),
        Reply::json(user(USER + 1, true).to_string()),
        Reply::json(json!({"id": USER, "name": "Ada", "email": "a@b.co"}).to_string()),
        Reply::json(json!({"id": USER, "name": "Ada", "email": "a@b.co", "isActive": "yes"}).to_string()),
        Reply::json(json!({"id": USER.to_string(), "name": 5, "email": [], "isActive": true}).to_string()),
        Reply::Broken,
        Reply::Body(200, "text/html", b"<html>It works!</html>".to_vec()),
        Reply::Body(200, "application/json", vec![0xff, 0xfe, 0x00]),
        Reply::Body(200, "application/json", format!("{{\"id\":{}1}}", "[".repeat(5000)).into_bytes()),
    ];
    for reply in replies {
        let what = format!("{reply:?}");
        origin.reply(&path_of(USER), reply);
        let response = register(&app, USER).await;
        assert_eq!(response.status(), 502, "{what}: {response:?}");
        response.expect_problem(502, "user-service-failed");
    }
    expect_no_seller(&app).await;
    // None of these opened the circuit.
    origin.reply(&path_of(USER), Reply::json(user(USER, true).to_string()));
    assert_eq!(register(&app, USER).await.status(), 201);
}

#[tokio::test]
async fn a_reply_that_never_ends_is_cut_off() {
    let origin = Origin::start().await;
    let app = using(&origin.url()).spawn().await;
    origin.reply(&path_of(USER), Reply::Endless);
    let response = register(&app, USER).await;
    assert!([502, 503].contains(&response.status()), "{response:?}");
    expect_no_seller(&app).await;
}

#[tokio::test]
async fn a_connection_that_breaks_is_unavailable_or_failed() {
    for reply in [Reply::Closed, Reply::Broken] {
        let origin = Origin::start().await;
        let app = using(&origin.url()).spawn().await;
        origin.reply(&path_of(USER), reply.clone());
        let response = register(&app, USER).await;
        match response.status() {
            503 => expect_unavailable(&response),
            _ => drop(response.expect_problem(502, "user-service-failed")),
        }
        expect_no_seller(&app).await;
    }
}

#[tokio::test]
async fn a_stopped_service_is_unavailable_and_everything_else_works() {
    let app = using(STOPPED).spawn().await;
    within(Duration::from_secs(4), async || expect_unavailable(&register(&app, USER).await)).await;
    expect_no_seller(&app).await;
    // A row by hand, because nobody can register: the other routes do not need the service.
    let insert = "INSERT INTO sellers (user_id, business_name) VALUES (7, 'By hand') RETURNING id";
    let id: i64 = app.db().await.query_one(insert, &[]).await.unwrap().get(0);
    let owner = app.with_jwt(USER, &["user"]);
    assert_eq!(owner.get(format!("/sellers/{id}")).await.expect_ok()["businessName"], "By hand");
    assert_eq!(owner.get("/sellers/me").await.status(), 200);
    assert_eq!(app.as_admin().get("/sellers").await.expect_ok()["total"], 1);
    let changed = owner.patch(format!("/sellers/{id}/profile")).json(json!({"description": "x"})).await;
    assert_eq!(changed.status(), 200, "{changed:?}");
    // What is wrong with the request is said without the service.
    let bad = owner.post("/sellers").json(json!({"businessName": ""})).await;
    assert_eq!(bad.expect_errors(422, "validation"), ["/businessName"]);
}

#[tokio::test]
async fn a_slow_service_is_unavailable_after_the_timeout() {
    let origin = Origin::start().await;
    let app = using(&origin.url()).default_deadlines().variable("user_service_timeout_ms", "400").spawn().await;
    origin.reply(&path_of(USER), Reply::json(user(USER, true).to_string()));
    origin.delay(Duration::from_secs(10));
    within(Duration::from_secs(3), async || expect_unavailable(&register(&app, USER).await)).await;
    expect_no_seller(&app).await;
    origin.delay(Duration::ZERO);
    until("the service is asked again", async || register(&app, USER).await.status() == 201).await;
}

#[tokio::test]
async fn by_default_a_slow_service_has_five_seconds() {
    let origin = Origin::start().await;
    let app = using(&origin.url()).default_deadlines().spawn().await;
    origin.reply(&path_of(USER), Reply::json(user(USER, true).to_string()));
    origin.hold();
    let start = Instant::now();
    expect_unavailable(&register(&app, USER).await);
    assert!(start.elapsed() >= Duration::from_millis(4_800), "{:?}", start.elapsed());
    origin.release();
}

#[tokio::test]
async fn an_address_with_a_path_is_kept() {
    let origin = Origin::start().await;
    let builder = App::builder().variable("user_service_egress", &origin.url());
    let app = builder.variable("user_service_url", &format!("{}/api/v2/", origin.url())).spawn().await;
    origin.reply("/api/v2/users/7", Reply::json(user(USER, true).to_string()));
    assert_eq!(register(&app, USER).await.status(), 201, "{:?}", origin.requests());
    assert_eq!(origin.requests()[0].line, "GET /api/v2/users/7");
    let forwarded =
        origin.requests()[0].headers.iter().any(|line| line.to_ascii_lowercase().starts_with("authorization"));
    assert!(!forwarded, "the caller's token is not passed on: {:?}", origin.requests());
}
