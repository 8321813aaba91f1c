//! What the users service gets as `Authorization`: what it asks for, and nothing if it is another server.

use blackbox::{Api, App, Origin, OriginRequest, Reply};
use serde_json::json;

use super::users_service::{USER, path_of, register, user, using};

const API_TOKEN: &str = "a-token-for-programs";
const SERVICE_TOKEN: &str = "a-token-for-the-users-service";

/// Everything that asks the users service: a registration, a list with users, the health check.
async fn expect_everything_works(app: &App, users: &Api) {
    let id = users.given_user_id("ada").await;
    assert_eq!(register(app, id).await.status(), 201);
    let gone = register(app, id + 1).await;
    gone.expect_problem(404, "user-not-found");
    let listed = app.as_admin().get("/sellers?include=user").await.expect_ok();
    assert_eq!(listed["sellers"][0]["user"]["email"], "ada@example.org", "{listed}");
    assert_eq!(app.as_admin().get("/sellers/health").await.expect_ok()["userService"]["status"], "up");
}

#[tokio::test]
async fn the_component_users_gets_the_api_token_if_it_asks_for_it() {
    let app = App::builder().variable("users_access", "token").variable("api_token", API_TOKEN).spawn().await;
    expect_everything_works(&app, &app.with_token(API_TOKEN)).await;
}

#[tokio::test]
async fn the_component_users_gets_the_json_web_token_of_the_client_if_it_asks_for_it() {
    let app = App::builder().variable("users_access", "jwt").spawn().await;
    expect_everything_works(&app, &app.as_admin()).await;
}

#[tokio::test]
async fn a_token_of_its_own_is_sent_instead() {
    let tokens = [("users_access", "token"), ("api_token", API_TOKEN), ("user_service_token", API_TOKEN)];
    let app = tokens.into_iter().fold(App::builder(), |app, (name, value)| app.variable(name, value)).spawn().await;
    expect_everything_works(&app, &app.with_token(API_TOKEN)).await;
    let wrong = [("users_access", "token"), ("api_token", API_TOKEN), ("user_service_token", SERVICE_TOKEN)];
    let app = wrong.into_iter().fold(App::builder(), |app, (name, value)| app.variable(name, value)).spawn().await;
    register(&app, USER).await.expect_problem(502, "user-service-failed");
}

#[tokio::test]
async fn another_server_gets_only_the_token_that_is_for_it() {
    for (own, expected) in [("", None), (SERVICE_TOKEN, Some(format!("Bearer {SERVICE_TOKEN}")))] {
        for access in ["open", "token", "jwt"] {
            let origin = Origin::start().await;
            origin.reply(&path_of(USER), Reply::json(user(USER, true).to_string()));
            let app = using(&origin.url())
                .variable("users_access", access)
                .variable("api_token", API_TOKEN)
                .variable("user_service_token", own)
                .spawn()
                .await;
            assert_eq!(register(&app, USER).await.status(), 201);
            let sent: Vec<Option<String>> = origin.requests().iter().map(authorization).collect();
            assert_eq!(sent, std::slice::from_ref(&expected), "{access}");
        }
    }
}

/// The value of `Authorization`.
fn authorization(request: &OriginRequest) -> Option<String> {
    let mut fields = request.headers.iter().filter_map(|line| line.split_once(':'));
    let value = fields.find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    value.map(|(_, value)| value.trim().to_owned())
}

#[tokio::test]
async fn a_token_that_is_not_valid_is_reported_by_name() {
    let app = App::builder().variable("user_service_token", "two words").spawn().await;
    app.as_admin().get("/sellers").await.expect_problem(500, "internal");
    let log = app.host.output();
    assert!(log.contains("the variable user_service_token must be empty, or a token"), "{log}");
    assert!(!log.contains("two words"), "{log}");
    assert_eq!(app.get("/users").await.expect_ok(), json!([]), "other components work");
}
