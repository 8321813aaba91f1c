//! The routes below `/admin/cache`, which need the admin token.

mod clear;
mod entries;
mod reset_stats;
mod stats;

use axum::Router;
use axum::routing::{delete, get, post};
use http_api::{Shared, local};

use crate::app::App;
use clear::{clear_all, clear_module, clear_operation, clear_user};
use entries::entries;
use reset_stats::reset_stats;
use stats::stats;

/// The routes, without a check of the token.
pub fn router() -> Router<Shared<App>> {
    Router::new()
        .route("/admin/cache", delete(local(clear_all)))
        .route("/admin/cache/module/{module}", delete(local(clear_module)))
        .route("/admin/cache/operation/{module}/{operation}", delete(local(clear_operation)))
        .route("/admin/cache/user/{id}", delete(local(clear_user)))
        .route("/admin/cache/entries", get(local(entries)))
        .route("/admin/cache/stats", get(local(stats)))
        .route("/admin/cache/stats/reset", post(local(reset_stats)))
}
