//! Who the client is: the user of a verified JSON Web Token, a verified static token, or the address. What a client
//! only claims gives it no quota of its own.

use blackbox::{ADMIN_TOKEN, Api, jwt};
use serde_json::json;

use super::{builder, expect_refused, limited, remaining};

const API_TOKEN: &str = "the-api-token-of-the-test";
const QUOTA: u64 = 4;

async fn left(api: &Api, path: &str) -> u64 {
    remaining(&api.get(path).await, "default")
}

#[tokio::test]
async fn a_client_is_an_address_whatever_its_port() {
    let app = limited(QUOTA).await;
    for left_after in (0..QUOTA).rev() {
        // A new client has a new connection.
        assert_eq!(left(&Api::new(&app.host.url()), "/users").await, left_after);
    }
    expect_refused(&app.get("/users").await, "default");
    let other = Api::from_address(&app.host.url(), "127.0.0.2");
    assert_eq!(left(&other, "/users").await, QUOTA - 1);
    expect_refused(&app.get("/users").await, "default");
}

#[tokio::test]
async fn verified_tokens_are_clients_of_their_own() {
    let app = builder(QUOTA).await.variable("api_token", API_TOKEN).spawn().await;
    let (api, admin) = (app.with_token(API_TOKEN), app.with_token(ADMIN_TOKEN));
    for left_after in (0..QUOTA).rev() {
        assert_eq!(left(&app, "/api/cache/a").await, left_after);
        assert_eq!(left(&api, "/api/cache/a").await, left_after);
        assert_eq!(left(&admin, "/api/cache/a").await, left_after);
    }
    for client in [&app.api, &api, &admin] {
        expect_refused(&client.get("/api/cache/a").await, "default");
    }
    // From another address they are the same clients.
    let elsewhere = Api::from_address(&app.host.url(), "127.0.0.2");
    expect_refused(&elsewhere.with_token(API_TOKEN).get("/api/cache/lock/a").await, "default");
    assert_eq!(left(&elsewhere, "/api/cache/a").await, QUOTA - 1);
}

#[tokio::test]
async fn each_user_of_a_verified_token_is_a_client() {
    let app = limited(QUOTA).await;
    for left_after in (0..QUOTA).rev() {
        for user in [42, 43] {
            assert_eq!(left(&app.with_jwt(user, &["user"]), "/sellers/1").await, left_after, "{user}");
        }
    }
    // Another token of the same user, from another address.
    let again = Api::from_address(&app.host.url(), "127.0.0.2").with_jwt(42, &["admin"]);
    expect_refused(&again.get("/sellers/1").await, "default");
    assert_eq!(left(&app, "/sellers/1").await, QUOTA - 1);
}

#[tokio::test]
async fn tokens_that_are_not_verified_give_no_quota() {
    let app = builder(100).await.variable("api_token", API_TOKEN).spawn().await;
    let expired = jwt(json!({"sub": "42", "roles": ["user"], "exp": 1_000_000_000}));
    let valid = jwt(json!({"sub": "42", "roles": ["user"], "exp": 4_000_000_000_u64}));
    let (signed, signature) = valid.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{}", signature.chars().rev().collect::<String>());
    let clients = [
        ("wrong", "/api/cache/a"),
        ("also-wrong", "/api/cache/lock/a"),
        (&expired, "/sellers/1"),
        (&forged, "/sellers/1"),
        (API_TOKEN, "/sellers/1"),
        // These components verify no such tokens.
        (&valid, "/api/cache/a"),
        (&valid, "/users"),
        ("anything", "/users"),
    ];
    let mut expected = 99;
    for (token, path) in clients {
        assert_eq!(left(&app.with_token(token), path).await, expected, "{path} with {token}");
        expected -= 1;
    }
    assert_eq!(left(&app, "/users").await, expected);
    // Nor do other forms of authorization.
    for authorization in ["Basic YTpi", API_TOKEN, "Bearer"] {
        expected -= 1;
        let response = app.get("/api/cache/a").header("authorization", authorization).await;
        assert_eq!(remaining(&response, "default"), expected, "{authorization}");
    }
}

#[tokio::test]
async fn keys_name_the_client_and_no_secret() {
    let app = builder(QUOTA).await.variable("api_token", API_TOKEN).spawn().await;
    let jwt = jwt(json!({"sub": "42", "roles": ["user"], "exp": 4_000_000_000_u64}));
    app.get("/users").await;
    app.with_token(API_TOKEN).get("/api/cache/a").await;
    app.admin().get("/api/cache/a").await;
    app.with_token(&jwt).get("/sellers/1").await;
    let keys: Vec<_> = app.redis.keys().await.into_iter().filter(|key| key.starts_with("ratelimit")).collect();
    let window = super::now_ms() / 1_000 / super::DAY_S;
    for client in ["ip:127.0.0.1", "token:api", "token:admin", "sub:42"] {
        let end = format!(":default:{client}:{window}");
        assert!(keys.iter().any(|key| key.ends_with(&end)), "{end} in {keys:?}");
    }
    assert_eq!(keys.len(), 4, "{keys:?}");
}
