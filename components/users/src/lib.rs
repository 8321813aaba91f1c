//! The users service: CRUD over PostgreSQL with versioned Redis caching.
//!
//! A request goes from [`routes`] to [`reading`] or [`writing`], which read its parts ([`list_query`], [`input`],
//! [`entity_tag`]), ask the cache with a statement of the [`store`] in hand, and make one of the [`answers`] or
//! [`failures`]. docs/users.md describes the API, docs/problems.md its errors.

mod answers;
mod app;
mod cursor;
mod entity_tag;
mod failures;
mod input;
mod list_query;
mod page;
mod reading;
mod routes;
mod rules;
mod store;
mod user;
mod user_id;
mod writing;

use std::cell::RefCell;

use axum::Router;
use axum::response::Response;
use spin_adapter::http::serve;
use spin_sdk::http::Request;

use app::App;

thread_local! {
    /// The router of this instance, with all that its requests share.
    static ROUTER: RefCell<Option<Router>> = const { RefCell::new(None) };
}

/// Answers one request.
#[spin_sdk::http_service]
async fn handle(request: Request) -> Response {
    serve(&ROUTER, request, async || Ok(routes::router(App::from_variables().await?))).await
}
