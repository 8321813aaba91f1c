//! The routes of the component.

use std::rc::Rc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::Uri;
use axum::response::Response;
use axum::routing::{delete, get, post};
use send_wrapper::SendWrapper;
use spin_adapter::http::bearer::Access;
use spin_adapter::http::query::NoQuery;
use spin_adapter::http::{Failure, local, no_such_method, no_such_route};

use crate::app::App;
use crate::resource_name::ResourceName;
use crate::{administration, locking};

type Shared = State<SendWrapper<Rc<App>>>;
type Answer = Result<Response, Failure>;

/// The router, to be built once per instance.
pub fn router(app: App) -> Router {
    // A resource may be called as an action is. Without a name it is still asked for a resource, and told what is wrong.
    let api = Router::new()
        .route("/api/cache/lock/", get(show))
        .route("/api/cache/lock/acquire", post(acquire).get(show))
        .route("/api/cache/lock/release", post(release).get(show))
        .route("/api/cache/lock/extend", post(extend).get(show))
        .route("/api/cache/lock/{resource}", get(show));
    let admin = Router::new()
        .route("/admin/locks", get(list))
        .route("/admin/locks/", delete(break_lock))
        .route("/admin/locks/{resource}", delete(break_lock));
    let tokens = app.tokens.clone();
    tokens
        .guard(Access::Api, api)
        .merge(tokens.guard(Access::Admin, admin))
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_method)
        .with_state(SendWrapper::new(Rc::new(app)))
}

fn acquire(State(app): Shared, _: NoQuery, request: Request) -> impl Future<Output = Answer> + Send {
    local(async move { locking::acquire(&app, request).await })
}

fn release(State(app): Shared, _: NoQuery, request: Request) -> impl Future<Output = Answer> + Send {
    local(async move { locking::release(&app, request).await })
}

fn extend(State(app): Shared, _: NoQuery, request: Request) -> impl Future<Output = Answer> + Send {
    local(async move { locking::extend(&app, request).await })
}

fn show(State(app): Shared, ResourceName(resource): ResourceName, _: NoQuery) -> impl Future<Output = Answer> + Send {
    local(async move { locking::show(&app, &resource).await })
}

fn list(State(app): Shared, uri: Uri) -> impl Future<Output = Answer> + Send {
    local(async move { administration::list(&app, &uri).await })
}

fn break_lock(
    State(app): Shared,
    ResourceName(resource): ResourceName,
    _: NoQuery,
) -> impl Future<Output = Answer> + Send {
    local(async move { administration::break_lock(&app, &resource).await })
}
