//! The routes of the component.

mod clear;
mod entries;
mod invalidate;
mod mget;
mod mset;
mod one_entry;
mod one_key;
mod stats;
mod warm;

use axum::Router;
use axum::routing::{delete, get, post};
use http_api::{Access, Shared, local, no_such_method, no_such_route};

use crate::app::App;
use one_key::{probe, remove, show, store};

/// The router, which an instance builds once.
pub fn router(app: Shared<App>) -> Router {
    let one_key = get(local(show)).head(local(probe)).put(local(store)).delete(local(remove));
    let one_entry = get(local(one_entry::show))
        .head(local(one_entry::probe))
        .put(local(one_entry::store))
        .delete(local(one_entry::remove));
    let api = Router::new()
        .route("/api/cache/stats", get(local(stats::totals)))
        .route("/api/cache/warm", post(local(warm::warm)))
        .route("/api/cache/mget", post(local(mget::mget)))
        .route("/api/cache/mset", post(local(mset::mset)))
        .route("/api/cache/invalidate", post(local(invalidate::invalidate)))
        .route("/api/cache/entries/{module}/{operation}", one_entry)
        .route("/api/cache/{key}", one_key.clone())
        // The empty key: the problem says what a key must be.
        .route("/api/cache/", one_key);
    let admin = Router::new()
        .route("/admin/cache", delete(local(clear::clear_all)))
        .route("/admin/cache/module/{module}", delete(local(clear::clear_module)))
        .route("/admin/cache/operation/{module}/{operation}", delete(local(clear::clear_operation)))
        .route("/admin/cache/user/{id}", delete(local(clear::clear_user)))
        .route("/admin/cache/entries", get(local(entries::entries)))
        .route("/admin/cache/stats", get(local(stats::report)))
        .route("/admin/cache/stats/reset", post(local(stats::reset)));
    let api = app.tokens.guard(Access::Api, api);
    let admin = app.tokens.guard(Access::Admin, admin);
    api.merge(admin).fallback(no_such_route).method_not_allowed_fallback(no_such_method).with_state(app)
}
