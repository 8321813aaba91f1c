//! The locks service: mutual exclusion over HTTP, for programs that have no Redis client.
//!
//! A request goes from [`routes`] to [`locking`] or [`administration`], which read its parts ([`input`],
//! [`resource_name`], [`list_query`]), ask the lock protocol (crate `token-lock`), and make one of the [`answers`] or
//! [`failures`]. docs/locks.md describes the API and what such a lock is good for, docs/problems.md its errors.

mod administration;
mod answers;
mod app;
mod failures;
mod input;
mod list_query;
mod locking;
mod milliseconds;
mod resource_name;
mod routes;

use std::cell::RefCell;

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::Response;
use spin_adapter::http::serve;
use spin_sdk::http::Request;

use app::App;

thread_local! {
    /// The router of this instance, with all that its requests share.
    static ROUTER: RefCell<Option<Router>> = const { RefCell::new(None) };
}

/// Answers one request. No answer is for a cache to keep: what it says may be over in a millisecond.
#[spin_sdk::http_service]
async fn handle(request: Request) -> Response {
    let mut response = serve(&ROUTER, request, async || Ok(routes::router(App::from_variables().await?))).await;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
