//! The users service: CRUD over PostgreSQL with versioned Redis caching.
//!
//! The handlers are in the files below [`routes`], the request bodies in [`input`]. Handlers read and write users
//! through the cache (`App::users`). The SQL statements are in the [`store`]. docs/users.md describes the API,
//! docs/problems.md its errors.

mod app;
mod input;
mod page;
mod problems;
mod responses;
mod routes;
mod rules;
mod store;
mod user;

use axum::response::Response;
use spin_adapter::serve;
use spin_sdk::http::Request;

use app::App;

/// Handles one request.
#[spin_sdk::http_service]
async fn handle(request: Request) -> Response {
    serve("tumbler", request, async || App::from_variables().await.map(routes::router)).await
}
