//! The routes of the component.

mod create;
mod list;
mod one_user;

use axum::Router;
use axum::routing::{get, post};
use http_api::{Shared, local, no_such_method, no_such_route};

use crate::app::App;

/// The router, which an instance builds once.
pub fn router(app: App) -> Router {
    let one_user = get(local(one_user::show))
        .put(local(one_user::put))
        .patch(local(one_user::patch))
        .delete(local(one_user::remove));
    Router::new()
        .route("/users", get(local(list::list)).post(local(create::create)))
        .route("/users/batch", post(local(create::create_batch)))
        .route("/users/{id}", one_user)
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_method)
        .with_state(Shared::new(app))
}
