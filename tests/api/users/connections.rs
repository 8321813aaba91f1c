//! PostgreSQL with few connections left: requests wait for one within their deadline.

use blackbox::App;
use serde_json::json;
use tokio::task::JoinSet;

const REQUESTS: usize = 60;
/// Connections that the service can have, fewer than it wants.
const LEFT: usize = 3;

/// Opens all connections that PostgreSQL accepts. Its URL names a superuser, so that none is reserved.
async fn all_connections(app: &App) -> Vec<tokio_postgres::Client> {
    let mut connections = Vec::new();
    while let Ok((client, connection)) = tokio_postgres::connect(app.database.url(), tokio_postgres::NoTls).await {
        tokio::spawn(connection);
        connections.push(client);
    }
    connections
}

#[tokio::test]
async fn requests_wait_while_postgresql_refuses_more_connections() {
    let app = App::builder().private_postgres().spawn().await;
    let mut others = all_connections(&app).await;
    others.truncate(others.len() - LEFT);
    let mut requests = JoinSet::new();
    for number in 0..REQUESTS {
        let user = json!({"name": "Ada", "email": format!("ada-{number}@example.org")});
        requests.spawn(app.post("/users").json(user).into_future());
    }
    let refused: Vec<_> = requests.join_all().await.into_iter().filter(|response| response.status() != 201).collect();
    assert!(refused.is_empty(), "{} of {REQUESTS}: {:?}", refused.len(), refused[0]);
}

#[tokio::test]
async fn a_request_without_a_connection_is_refused_and_changes_nothing() {
    let app = App::builder().private_postgres().spawn().await;
    let others = all_connections(&app).await;
    let body = json!({"name": "Ada", "email": "ada@example.org"});
    app.post("/users").json(&body).await.expect_problem(503, "unavailable");
    drop(others);
    // The server may need a moment to notice that the others have left.
    assert_eq!(app.post("/users").json(&body).await.status(), 201);
}
