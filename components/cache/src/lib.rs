//! The cache service: cache-aside by key, bulk reads and writes, precise invalidation, administration.
//!
//! A request goes from [`routes`] to [`one_key`], [`many_keys`], [`warming`], [`invalidation`], [`statistics`] or
//! [`entries`], which read its parts ([`key`], [`query`], [`input`], [`target`]), ask the cache with the [`origin`]
//! behind it, and make one of the [`answers`] or [`failures`]; those that need much [`memory`] wait for their share.
//! docs/cache.md describes the API, docs/problems.md its errors.

mod answers;
mod app;
mod entries;
mod failures;
mod input;
mod invalidation;
mod key;
mod many_keys;
mod members;
mod memory;
mod name;
mod one_key;
mod origin;
mod path;
mod query;
mod routes;
mod statistics;
mod target;
mod ttl;
mod warming;

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

/// Answers one request. No other cache may keep what this one answers: no invalidation would reach it.
#[spin_sdk::http_service]
async fn handle(request: Request) -> Response {
    let mut response = serve(&ROUTER, request, async || Ok(routes::router(App::from_variables().await?))).await;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
