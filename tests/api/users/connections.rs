//! PostgreSQL with few connections left: requests wait for one within their deadline.

use blackbox::{App, until};
use serde_json::json;
use tokio::task::JoinSet;

/// More than the connections, and so few that a slow machine serves them all within the deadline.
const REQUESTS: usize = 15;
/// How often that is tried: a machine that is busy for a moment may delay any request.
const ATTEMPTS: usize = 5;
/// Connections that the service can have, fewer than it wants.
const LEFT: usize = 3;

/// Of the 300 connections of the tests' servers, only superusers get these. To take all of the others takes a while.
const RESERVED: usize = 280;

/// An application whose role may have few connections.
async fn app() -> App {
    let mut app = App::builder().private_postgres().spawn().await;
    let reserve = format!("ALTER SYSTEM SET superuser_reserved_connections = {RESERVED}");
    app.postgres().cluster().connect().await.unwrap().batch_execute(&reserve).await.unwrap();
    app.postgres().restart().await.unwrap();
    app
}

/// Opens all connections that PostgreSQL accepts from this role.
async fn all_connections(app: &App) -> Vec<tokio_postgres::Client> {
    let mut connections = Vec::new();
    while let Ok((client, connection)) = tokio_postgres::connect(app.database.url(), tokio_postgres::NoTls).await {
        tokio::spawn(connection);
        connections.push(client);
    }
    assert!(connections.len() > LEFT, "{} connections", connections.len());
    connections
}

#[tokio::test]
async fn requests_wait_while_postgresql_refuses_more_connections() {
    let app = app().await;
    let mut others = all_connections(&app).await;
    others.truncate(others.len() - LEFT);
    let mut refused = Vec::new();
    for attempt in 0..ATTEMPTS {
        let mut requests = JoinSet::new();
        for number in 0..REQUESTS {
            let user = json!({"name": "Ada", "email": format!("ada-{attempt}-{number}@example.org")});
            requests.spawn(app.post("/users").json(user).into_future());
        }
        refused = requests.join_all().await;
        refused.retain(|response| response.status() != 201);
        if refused.is_empty() {
            return;
        }
    }
    panic!("{} of {REQUESTS}, also in the last attempt: {:?}", refused.len(), refused[0]);
}

#[tokio::test]
async fn a_request_without_a_connection_is_refused_and_changes_nothing() {
    let app = app().await;
    let others = all_connections(&app).await;
    let body = json!({"name": "Ada", "email": "ada@example.org"});
    app.post("/users").json(&body).await.expect_problem(503, "unavailable");
    drop(others);
    // The server needs a moment to notice that the others have left.
    until("there are connections again", async || app.post("/users").json(&body).await.status() == 201).await;
    assert_eq!(app.get("/users").await.expect_ok().as_array().map(Vec::len), Some(1));
}
