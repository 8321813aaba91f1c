//! The routes of the component: one file each.

mod admin;
mod invalidate;
mod mget;
mod mset;
mod probe;
mod remove;
mod show;
mod stats;
mod store;
mod warm;

use axum::Router;
use axum::routing::{get, post};
use http_api::{Access, Shared, local, no_such_method, no_such_route};

use crate::app::App;
use invalidate::invalidate;
use mget::mget;
use mset::mset;
use probe::probe;
use remove::remove;
use show::show;
use stats::stats;
use store::store;
use warm::warm;

/// The router, which an instance builds once.
pub fn router(app: App) -> Router {
    let one_key = get(local(show)).head(local(probe)).put(local(store)).delete(local(remove));
    let api = Router::new()
        .route("/api/cache/stats", get(local(stats)))
        .route("/api/cache/warm", post(local(warm)))
        .route("/api/cache/mget", post(local(mget)))
        .route("/api/cache/mset", post(local(mset)))
        .route("/api/cache/invalidate", post(local(invalidate)))
        .route("/api/cache/{key}", one_key.clone())
        // The empty key: the problem says what a key must be.
        .route("/api/cache/", one_key);
    let tokens = app.tokens.clone();
    tokens
        .guard(Access::Api, api)
        .merge(tokens.guard(Access::Admin, admin::router()))
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_method)
        .with_state(Shared::new(app))
}
