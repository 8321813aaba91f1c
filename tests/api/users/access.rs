//! Who may use /users: the variable `users_access`.

use blackbox::{ADMIN_TOKEN, Api, App, Builder, JWT_SECRET, jwt};
use reqwest::Method;
use serde_json::{Value, json};

const API_TOKEN: &str = "a-token-for-programs";
const FOREVER: u64 = 4_102_444_800;

fn with_tokens() -> Builder {
    App::builder().variable("users_access", "token").variable("api_token", API_TOKEN)
}

fn with_jwt() -> Builder {
    App::builder().variable("users_access", "jwt")
}

/// Every route, with a body that is accepted. ID stands for the user's id.
fn routes() -> Vec<(Method, &'static str, Option<Value>)> {
    let user = |name: &str| json!({"name": name, "email": format!("{name}@example.org")});
    vec![
        (Method::GET, "/users", None),
        (Method::HEAD, "/users", None),
        (Method::GET, "/users?ids=ID", None),
        (Method::GET, "/users/ID", None),
        (Method::HEAD, "/users/ID", None),
        (Method::POST, "/users", Some(user("new"))),
        (Method::POST, "/users/batch", Some(json!([user("one"), user("two")]))),
        (Method::PUT, "/users/ID", Some(json!({"name": "Changed"}))),
        (Method::PATCH, "/users/ID", Some(json!({"name": "Changed"}))),
        (Method::DELETE, "/users/ID", None),
    ]
}

/// Sends a request to every route, for the user `id`. Returns the statuses. Checks that a refusal has a challenge.
async fn statuses(client: &Api, id: i64) -> Vec<u16> {
    let mut statuses = Vec::new();
    for (method, path, body) in routes() {
        let mut request = client.request(method.clone(), path.replace("ID", &id.to_string()));
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.await;
        match response.status() {
            401 | 403 if method != Method::HEAD => {
                let kind = if response.status() == 401 { "unauthorized" } else { "forbidden" };
                response.expect_problem(response.status(), kind);
                let challenge = response.header("www-authenticate");
                assert!(challenge.starts_with("Bearer realm=\"tumbler\""), "{method} {path}: {response:?}");
            }
            _ => {}
        }
        statuses.push(response.status());
    }
    statuses
}

const REFUSED: [u16; 10] = [401; 10];
const EVERYTHING: [u16; 10] = [200, 200, 200, 200, 200, 201, 201, 200, 200, 204];

async fn users(app: &App) -> Vec<String> {
    let rows = app.db().await.query("SELECT row_to_json(users)::text FROM users ORDER BY id", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn by_default_everybody_may_do_everything() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    assert_eq!(statuses(&app, id).await, EVERYTHING);
}

#[tokio::test]
async fn with_token_every_route_needs_the_api_token_or_the_admin_token() {
    let app = with_tokens().spawn().await;
    let program = app.with_token(API_TOKEN);
    let id = program.given_user_id("ada").await;
    let before = users(&app).await;
    assert_eq!(statuses(&app, id).await, REFUSED, "without a token");
    for wrong in ["wrong", &API_TOKEN[1..], &format!("{API_TOKEN}x")] {
        assert_eq!(statuses(&app.with_token(wrong), id).await, REFUSED, "{wrong}");
    }
    assert_eq!(statuses(&app.with_jwt(id, &["admin"]), id).await, REFUSED, "a JSON Web Token is of another kind");
    assert_eq!(users(&app).await, before, "nothing was changed");
    assert_eq!(statuses(&program, id).await, EVERYTHING);
    let grace = program.given_user_id("grace").await;
    assert_eq!(app.admin().get(format!("/users/{grace}")).await.status(), 200, "the admin token opens it, too");
    // What is not a route needs no token.
    app.get("/users/1/2").await.expect_problem(404, "not-found");
    app.delete("/users").await.expect_problem(405, "method-not-allowed");
}

#[tokio::test]
async fn with_token_an_api_token_is_needed_at_the_start() {
    for (api_token, expected) in [("", "a token, because users_access is token"), ("two words", "a token of visible")] {
        let app = App::builder().variable("users_access", "token").variable("api_token", api_token).spawn().await;
        for client in [app.with_token(""), app.admin(), app.with_token(api_token)] {
            client.get("/users").await.expect_problem(500, "internal");
        }
        let log = app.host.output();
        assert!(log.contains(&format!("the variable api_token must be {expected}")), "{log}");
        // Sellers would send it to the users service.
        app.as_admin().get("/sellers").await.expect_problem(500, "internal");
    }
}

#[tokio::test]
async fn an_unknown_value_opens_nothing() {
    for value in ["", "OPEN", "none"] {
        let app = App::builder().variable("users_access", value).spawn().await;
        app.get("/users").await.expect_problem(500, "internal");
        let log = app.host.output();
        assert!(log.contains("the variable users_access must be open, token or jwt"), "{value:?}: {log}");
    }
}

#[tokio::test]
async fn with_jwt_users_read_all_and_change_themselves_and_administrators_everything() {
    let app = with_jwt().spawn().await;
    let admin = app.as_admin();
    let id = admin.given_user_id("ada").await;
    let before = users(&app).await;
    assert_eq!(statuses(&app, id).await, REFUSED, "without a token");
    assert_eq!(statuses(&app.admin(), id).await, REFUSED, "a static token is of another kind");
    let stranger = [200, 200, 200, 200, 200, 403, 403, 403, 403, 403];
    for roles in [&["user"][..], &[], &["Admin", "admin ", "superadmin"]] {
        assert_eq!(statuses(&app.with_jwt(id + 1, roles), id).await, stranger, "{roles:?}");
    }
    // A client that may not create users gets 403 before anything else is checked.
    app.with_jwt(id, &[]).post("/users").body("{").await.expect_problem(403, "forbidden");
    app.with_jwt(id + 1, &[]).patch(format!("/users/{id}")).body("{").await.expect_problem(403, "forbidden");
    assert_eq!(users(&app).await, before, "nothing was changed");
    let owner = [200, 200, 200, 200, 200, 403, 403, 200, 200, 204];
    assert_eq!(statuses(&app.with_jwt(id, &["user"]), id).await, owner);
    let grace = admin.given_user_id("grace").await;
    assert_eq!(statuses(&admin, grace).await, EVERYTHING);
    let other = admin.given_user_id("another").await;
    let name = json!({"name": "Super"});
    let response = app.with_jwt(id, &["super_admin"]).patch(format!("/users/{other}")).json(name).await;
    assert_eq!(response.status(), 200, "{response:?}");
}

#[tokio::test]
async fn with_jwt_nobody_gives_the_own_user_roles_or_activates_it() {
    let app = with_jwt().spawn().await;
    let admin = app.as_admin();
    let id = admin.given_user_id("ada").await;
    let path = format!("/users/{id}");
    admin.patch(&path).json(json!({"isActive": false})).await.expect_ok();
    let before = users(&app).await;
    let owner = app.with_jwt(id, &["user"]);
    for (body, members) in [
        (json!({"roles": ["user", "admin"]}), &["/roles"][..]),
        (json!({"isActive": true}), &["/isActive"]),
        (json!({"name": "Ada", "isActive": true, "roles": []}), &["/roles", "/isActive"]),
    ] {
        for response in [owner.patch(&path).json(&body).await, owner.put(&path).json(&body).await] {
            assert_eq!(response.expect_errors(403, "forbidden"), members, "{body}");
        }
    }
    assert_eq!(users(&app).await, before, "nothing was changed");
    assert_eq!(owner.patch(&path).json(json!({"name": "Ada L."})).await.expect_ok()["isActive"], false);
    let both = json!({"roles": ["admin"], "isActive": true});
    assert_eq!(admin.patch(&path).json(both).await.expect_ok()["roles"], json!(["admin"]));
}

#[tokio::test]
async fn with_jwt_only_tokens_with_valid_claims_and_signatures_are_accepted() {
    let app = with_jwt().variable("jwt_issuer", "https://id.example").variable("jwt_audience", "users").spawn().await;
    let claims = |changes: Value| {
        let mut claims =
            json!({"sub": "1", "roles": ["admin"], "exp": FOREVER, "iss": "https://id.example", "aud": "users"});
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        jwt(claims)
    };
    let status = async |token: &str| app.with_token(token).get("/users").await.status();
    let good = claims(json!({}));
    assert_eq!(status(&good).await, 200);
    assert_eq!(status(&claims(json!({"aud": ["others", "users"], "nbf": 1}))).await, 200);
    for wrong in [
        json!({"exp": 1_000_000_000}),
        json!({"exp": null}),
        json!({"nbf": FOREVER - 1}),
        json!({"iss": "https://other.example"}),
        json!({"iss": null}),
        json!({"aud": "sellers"}),
        json!({"aud": null}),
        json!({"sub": null}),
        json!({"sub": "ada"}),
    ] {
        assert_eq!(status(&claims(wrong.clone())).await, 401, "{wrong}");
    }
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("{good}") };
    // {"alg":"none","typ":"JWT"} and {"alg":"RS256","typ":"JWT"}
    for header in ["eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0", "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9"] {
        assert_eq!(status(&format!("{header}.{payload}.{signature}")).await, 401);
        assert_eq!(status(&format!("{header}.{payload}.")).await, 401);
    }
    assert_eq!(status(&format!("{header}.{payload}.")).await, 401);
    assert_eq!(status(JWT_SECRET).await, 401);
}

#[tokio::test]
async fn with_jwt_a_key_is_needed_at_the_start() {
    let app = with_jwt().variable("jwt_secret", "").spawn().await;
    app.with_jwt(1, &["admin"]).get("/users").await.expect_problem(500, "internal");
    let log = app.host.output();
    assert!(log.contains("the variable jwt_secret must be a secret of at least 32 bytes"), "{log}");
}

#[tokio::test]
async fn no_token_is_in_the_log() {
    let app = with_tokens().spawn().await;
    let id = app.with_token(API_TOKEN).given_user_id("ada").await;
    app.with_jwt(id, &["user"]).post("/sellers").json(json!({"businessName": "Ada & Co"})).await.expect_success();
    app.with_token("not-a-token-of-this-service").get("/users").await.expect_problem(401, "unauthorized");
    let log = app.host.output();
    for secret in [API_TOKEN, ADMIN_TOKEN, JWT_SECRET, "not-a-token-of-this-service"] {
        assert!(!log.contains(secret), "{log}");
    }
}
