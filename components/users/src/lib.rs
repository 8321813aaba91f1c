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
use axum::response::{IntoResponse, Response};
use spin_adapter::http::{Failure, serve};
use spin_sdk::http::Request;

thread_local! {
    /// The router of this instance, with all that its requests share. An instance has one thread.
    static ROUTER: RefCell<Option<Router>> = const { RefCell::new(None) };
}

/// Answers one request.
#[spin_sdk::http_service]
async fn handle(request: Request) -> Response {
    match router().await {
        Ok(router) => serve(&router, request).await,
        Err(failure) => failure.into_response(),
    }
}

/// The router of this instance. Requests that come before the first one has read the variables each read them: one of
/// the results is kept.
async fn router() -> Result<Router, Failure> {
    if let Some(router) = ROUTER.with_borrow(Clone::clone) {
        return Ok(router);
    }
    let app = app::App::from_variables().await.map_err(Failure::internal)?;
    Ok(ROUTER.with_borrow_mut(|kept| kept.get_or_insert_with(|| routes::router(app)).clone()))
}
