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
use crate::key::Key;
use crate::query::TtlQuery;
use crate::target::Target;
use crate::{entries, invalidation, many_keys, one_key, statistics, warming};

type Shared = State<SendWrapper<Rc<App>>>;
type Answer = Result<Response, Failure>;

/// The router, to be built once per instance.
pub fn router(app: App) -> Router {
    let one_key = get(show).head(probe).put(store).delete(remove);
    let api = Router::new()
        .route("/api/cache/stats", get(summary))
        .route("/api/cache/warm", post(warm))
        .route("/api/cache/mget", post(show_many))
        .route("/api/cache/mset", post(store_many))
        .route("/api/cache/invalidate", post(invalidate))
        .route("/api/cache/{key}", one_key.clone())
        // The empty key, which is told what a key must be.
        .route("/api/cache/", one_key);
    let admin = Router::new()
        .route("/admin/cache", delete(clear))
        .route("/admin/cache/module/{module}", delete(clear_module))
        .route("/admin/cache/operation/{module}/{operation}", delete(clear_operation))
        .route("/admin/cache/user/{id}", delete(clear_user))
        .route("/admin/cache/entries", get(list))
        .route("/admin/cache/stats", get(report))
        .route("/admin/cache/stats/reset", post(reset));
    let tokens = app.tokens.clone();
    tokens
        .guard(Access::Api, api)
        .merge(tokens.guard(Access::Admin, admin))
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_method)
        .with_state(SendWrapper::new(Rc::new(app)))
}

fn show(State(app): Shared, key: Key, TtlQuery(ttl): TtlQuery) -> impl Future<Output = Answer> + Send {
    local(async move { one_key::show(&app, key, ttl).await })
}

fn probe(State(app): Shared, key: Key, _: NoQuery) -> impl Future<Output = Answer> + Send {
    local(async move { one_key::probe(&app, key).await })
}

fn store(
    State(app): Shared,
    key: Key,
    TtlQuery(ttl): TtlQuery,
    request: Request,
) -> impl Future<Output = Answer> + Send {
    local(async move { one_key::store(&app, key, ttl, request).await })
}

fn remove(State(app): Shared, key: Key, _: NoQuery) -> impl Future<Output = Answer> + Send {
    local(async move { one_key::remove(&app, key).await })
}

fn show_many(State(app): Shared, _: NoQuery, request: Request) -> impl Future<Output = Answer> + Send {
    local(async move { many_keys::show(&app, request).await })
}

fn store_many(State(app): Shared, _: NoQuery, request: Request) -> impl Future<Output = Answer> + Send {
    local(async move { many_keys::store(&app, request).await })
}

fn warm(State(app): Shared, _: NoQuery, request: Request) -> impl Future<Output = Answer> + Send {
    local(async move { warming::warm(&app, request).await })
}

fn invalidate(State(app): Shared, _: NoQuery, request: Request) -> impl Future<Output = Answer> + Send {
    local(async move { invalidation::invalidate(&app, request).await })
}

fn summary(State(app): Shared, _: NoQuery) -> impl Future<Output = Answer> + Send {
    local(async move { statistics::summary(&app).await })
}

fn report(State(app): Shared, _: NoQuery) -> impl Future<Output = Answer> + Send {
    local(async move { statistics::report(&app).await })
}

fn reset(State(app): Shared, _: NoQuery) -> impl Future<Output = Answer> + Send {
    local(async move { statistics::reset(&app).await })
}

fn list(State(app): Shared, uri: Uri) -> impl Future<Output = Answer> + Send {
    local(async move { entries::list(&app, uri.query().unwrap_or_default()).await })
}

fn clear(State(app): Shared, _: NoQuery) -> impl Future<Output = Answer> + Send {
    local(async move { invalidation::clear(&app, Target::All).await })
}

fn clear_module(State(app): Shared, uri: Uri, _: NoQuery) -> impl Future<Output = Answer> + Send {
    local(async move { invalidation::clear(&app, Target::module_in_path(uri.path())?).await })
}

fn clear_operation(State(app): Shared, uri: Uri, _: NoQuery) -> impl Future<Output = Answer> + Send {
    local(async move { invalidation::clear(&app, Target::operation_in_path(uri.path())?).await })
}

fn clear_user(State(app): Shared, uri: Uri, _: NoQuery) -> impl Future<Output = Answer> + Send {
    local(async move { invalidation::clear(&app, Target::user_in_path(uri.path())?).await })
}
