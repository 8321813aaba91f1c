//! The routes of the component: one file each.

mod create;
mod create_batch;
mod list;
mod remove;
mod show;
mod update;

use axum::Router;
use axum::routing::{get, post};
use http_api::{Shared, local, no_such_method, no_such_route};

use crate::app::App;
use create::create;
use create_batch::create_batch;
use list::list;
use remove::remove;
use show::show;
use update::update;

/// The router, which an instance builds once.
pub fn router(app: App) -> Router {
    let update = local(update);
    Router::new()
        .route("/users", get(local(list)).post(local(create)))
        .route("/users/batch", post(local(create_batch)))
        .route("/users/{id}", get(local(show)).put(update).patch(update).delete(local(remove)))
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_method)
        .with_state(Shared::new(app))
}
