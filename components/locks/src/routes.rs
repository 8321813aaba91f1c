//! The routes of the component.

mod acquire;
mod extend;
mod list;
mod one_lock;
mod release;

use axum::Router;
use axum::routing::{delete, get, post};
use http_api::{Access, Shared, local, no_such_method, no_such_route};

use crate::app::App;

/// The router, which an instance builds once.
pub fn router(app: App) -> Router {
    // GET also works for resources that are named like an action, such as `acquire`. A path that ends with a slash has
    // an empty name; the handlers reject it.
    let show = local(one_lock::show);
    let api = Router::new()
        .route("/api/cache/lock/", get(show))
        .route("/api/cache/lock/acquire", post(local(acquire::acquire)).get(show))
        .route("/api/cache/lock/release", post(local(release::release)).get(show))
        .route("/api/cache/lock/extend", post(local(extend::extend)).get(show))
        .route("/api/cache/lock/{resource}", get(show));
    let break_lock = delete(local(one_lock::break_lock));
    let admin = Router::new()
        .route("/admin/locks", get(local(list::list)))
        .route("/admin/locks/", break_lock.clone())
        .route("/admin/locks/{resource}", break_lock);
    let api = app.tokens.guard(Access::Api, api);
    let admin = app.tokens.guard(Access::Admin, admin);
    api.merge(admin).fallback(no_such_route).method_not_allowed_fallback(no_such_method).with_state(Shared::new(app))
}
