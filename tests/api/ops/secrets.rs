//! No secret is ever in the log: tokens, passwords in addresses, email addresses, bodies. The tests plant some in every
//! place where they belong, at the level `debug`, and search for them while everything works, while servers are down,
//! and while they refuse the credentials.

use blackbox::{App, Builder, Host, jwt, until};
use serde_json::json;

const API_TOKEN: &str = "planted-api-token-of-the-test";
const ADMIN_TOKEN: &str = "planted-admin-token-of-the-test";
const METRICS_TOKEN: &str = "planted-metrics-token-of-the-test";
const REDIS_PASSWORD: &str = "planted-redis-password";
const POSTGRES_PASSWORD: &str = "planted-postgres-password";
const JWT_SECRET: &str = "planted-jwt-secret-with-32-bytes-or-more";

/// Texts that clients send. None of them may be in the log.
const PLANTED: [&str; 6] = [
    "planted.address@example.org",
    "planted%2eaddress@example.org",
    "Planted Name",
    "planted-value",
    "planted-tax-id",
    "planted-wrong-token",
];

/// An application on the stores of another one, with passwords in their addresses.
fn on_stores_of(stores: &App) -> Builder {
    let redis = stores.redis.url().replace("redis://", &format!("redis://:{REDIS_PASSWORD}@"));
    App::builder()
        .variable("log_level", "debug")
        .variable("redis_url", &redis)
        .variable("redis_egress", "redis://127.0.0.1:*")
        .variable("database_url", stores.database.url())
        .variable("database_egress", "postgres://127.0.0.1:*")
        .variable("api_token", API_TOKEN)
        .variable("admin_token", ADMIN_TOKEN)
        .variable("metrics_token", METRICS_TOKEN)
        .variable("jwt_secret", JWT_SECRET)
}

/// Sends secrets to every component, whatever the responses are.
async fn exercise(app: &App) {
    let wrong_jwt = jwt(json!({"sub": "7", "roles": ["user"], "exp": 4_000_000_000_u64}));
    let user = json!({"name": "Planted Name", "email": "planted.address@example.org"});
    app.post("/users").json(&user).await;
    app.post("/users").json(&user).header("authorization", format!("Bearer {wrong_jwt}")).await;
    app.post("/users").json(json!({"name": "planted-value", "email": "planted.address@example.org@"})).await;
    app.post("/users").json_text("{\"name\": \"planted-value").await;
    app.post("/users/batch").json(json!([user, user])).await;
    app.get("/users?email=planted.address@example.org").await;
    app.get("/users?email=planted%2eaddress@example.org&limit=0").await;
    app.get("/users?planted-value=1").await;
    app.patch("/users/1").json(json!({"name": "Planted Name", "planted-value": 1})).await;
    app.get("/users/1").await;
    let seller = json!({"businessName": "Planted Name", "taxId": "planted-tax-id", "businessEmail": "planted-value"});
    for token in [&wrong_jwt, "planted-wrong-token", ADMIN_TOKEN] {
        app.with_token(token).post("/sellers").json(&seller).await;
        app.with_token(token).get("/sellers/1").await;
    }
    for token in [API_TOKEN, ADMIN_TOKEN, "planted-wrong-token"] {
        let client = app.with_token(token);
        client.put("/api/cache/a").json(json!("planted-value")).await;
        client.post("/api/cache/mset").json(json!({"entries": {"b": "planted-value"}})).await;
        client.get("/api/cache/a").await;
        client.get("/api/cache/missing").await;
        client.get("/admin/cache/stats").await;
        client.post("/api/cache/lock/acquire").json(json!({"resource": "a", "planted-value": 1})).await;
        client.post("/api/cache/lock/acquire").json(json!({"resource": "a"})).await;
        client.post("/api/cache/lock/release").json(json!({"key": "locks:a", "token": "planted-value"})).await;
        client.get("/admin/locks").await;
        client.post("/api/publish/orders").json(json!({"planted-value": 1})).await;
        client.post("/api/publish/orders").json_text("{\"planted-value").await;
        client.post("/api/ratelimit/check").json(json!({"key": "planted-value", "limit": 1, "window": 60_000})).await;
        client.get("/api/events?planted-value=1").await;
        client.get("/metrics").await;
        client.get("/health/ready").await;
    }
    app.with_token(METRICS_TOKEN).get("/metrics").await;
}

/// Asserts that the log has lines, and none of the secrets, among them the password of the stores' PostgreSQL.
fn expect_no_secrets(host: &Host, stores: &App, when: &str) {
    let address = stores.database.url().split('@').next().unwrap();
    let postgres_password = address.rsplit(':').next().unwrap();
    assert!(postgres_password.len() >= 32, "the address has no password");
    let log = host.output();
    assert!(!host.log().is_empty(), "{when}: the log is empty");
    let jwt = jwt(json!({"sub": "7", "roles": ["user"], "exp": 4_000_000_000_u64}));
    let signature = jwt.rsplit('.').next().unwrap();
    let secrets = [
        API_TOKEN,
        ADMIN_TOKEN,
        METRICS_TOKEN,
        REDIS_PASSWORD,
        POSTGRES_PASSWORD,
        postgres_password,
        JWT_SECRET,
        &jwt,
        signature,
    ];
    for secret in PLANTED.iter().chain(&secrets) {
        let line = log.lines().find(|line| line.to_lowercase().contains(&secret.to_lowercase()));
        assert_eq!(line, None, "{when}: {secret}");
    }
}

#[tokio::test]
async fn the_log_has_no_secrets_while_everything_works() {
    let stores = App::spawn().await;
    stores.redis.run(&["CONFIG", "SET", "requirepass", REDIS_PASSWORD]).await;
    let app = on_stores_of(&stores).spawn().await;
    exercise(&app).await;
    // The passwords are right: the cache is used.
    until("the cache is used", async || app.get("/users").await.is_hit()).await;
    expect_no_secrets(&app.host, &stores, "everything works");
}

#[tokio::test]
async fn the_log_has_no_secrets_while_redis_is_down_hangs_or_refuses() {
    let mut stores = App::spawn().await;
    // Short, because most of these requests wait for them.
    let deadlines = ["cache_timeout_ms", "lock_timeout_ms", "rate_limit_timeout_ms"];
    let builder = deadlines.into_iter().fold(on_stores_of(&stores), |builder, name| builder.variable(name, "100"));
    let app = builder.spawn().await;
    // The server has no password, so that it refuses this one.
    exercise(&app).await;
    stores.redis.run(&["CONFIG", "SET", "requirepass", "another"]).await;
    exercise(&app).await;
    stores.redis.pause();
    exercise(&app).await;
    stores.redis.resume();
    stores.redis.kill().await.unwrap();
    exercise(&app).await;
    let log = app.host.log();
    assert!(log.iter().any(|line| line["level"] == "warn" || line["level"] == "error"), "{log:?}");
    expect_no_secrets(&app.host, &stores, "Redis fails");
}

#[tokio::test]
async fn the_log_has_no_secrets_while_postgres_is_down_or_refuses() {
    let mut stores = App::builder().private_postgres().spawn().await;
    stores.redis.run(&["CONFIG", "SET", "requirepass", REDIS_PASSWORD]).await;
    let nobody = stores.database.url().split_once('@').unwrap().1.to_owned();
    let nobody = format!("postgres://nobody:{POSTGRES_PASSWORD}@{nobody}");
    let refused = on_stores_of(&stores).variable("database_url", &nobody).spawn().await;
    exercise(&refused).await;
    refused.get("/users/1").await.expect_problem(503, "unavailable");
    expect_no_secrets(&refused.host, &stores, "PostgreSQL refuses the user");
    let app = on_stores_of(&stores).spawn().await;
    exercise(&app).await;
    stores.postgres().kill().await.unwrap();
    exercise(&app).await;
    app.get("/users/2").await.expect_problem(503, "unavailable");
    expect_no_secrets(&app.host, &stores, "PostgreSQL is down");
}

#[tokio::test]
async fn the_log_has_no_secrets_while_variables_are_not_valid() {
    let table = [
        ("redis_url", format!("redis//:{REDIS_PASSWORD}@x")),
        ("redis_url", format!("redis://:{REDIS_PASSWORD}@127.0.0.1:notaport")),
        ("database_url", format!("postgres//u:{POSTGRES_PASSWORD}@x/y")),
        ("database_url", format!("postgres://u:{POSTGRES_PASSWORD}@127.0.0.1:notaport/y")),
        ("lock_redis_urls", format!("redis://:{REDIS_PASSWORD}@127.0.0.1:1,redis://:{REDIS_PASSWORD}@127.0.0.1:2")),
        ("api_token", format!("{API_TOKEN} with a space")),
    ];
    let stores = App::spawn().await;
    stores.redis.run(&["CONFIG", "SET", "requirepass", REDIS_PASSWORD]).await;
    for (name, value) in table {
        let app = on_stores_of(&stores).variable(name, &value).spawn().await;
        exercise(&app).await;
        expect_no_secrets(&app.host, &stores, name);
    }
}
