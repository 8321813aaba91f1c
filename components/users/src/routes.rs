//! The routes of the component.

use std::rc::Rc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use axum::routing::{get, post};
use send_wrapper::SendWrapper;
use spin_adapter::http::query::NoQuery;
use spin_adapter::http::{Failure, local, no_such_method, no_such_route};

use crate::app::App;
use crate::user_id::UserId;
use crate::{reading, writing};

type Shared = State<SendWrapper<Rc<App>>>;
type Answer = Result<Response, Failure>;

/// The router, to be built once per instance.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/users", get(list).post(create))
        .route("/users/batch", post(create_batch))
        .route("/users/{id}", get(show).put(update).patch(update).delete(remove))
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_method)
        .with_state(SendWrapper::new(Rc::new(app)))
}

fn list(State(app): Shared, uri: Uri, headers: HeaderMap) -> impl Future<Output = Answer> + Send {
    local(async move { reading::list(&app, &uri, &headers).await })
}

fn show(State(app): Shared, UserId(id): UserId, _: NoQuery, headers: HeaderMap) -> impl Future<Output = Answer> + Send {
    local(async move { reading::show(&app, id, &headers).await })
}

fn create(State(app): Shared, _: NoQuery, request: Request) -> impl Future<Output = Answer> + Send {
    local(async move { writing::create(&app, request).await })
}

fn create_batch(State(app): Shared, _: NoQuery, request: Request) -> impl Future<Output = Answer> + Send {
    local(async move { writing::create_batch(&app, request).await })
}

fn update(State(app): Shared, UserId(id): UserId, _: NoQuery, request: Request) -> impl Future<Output = Answer> + Send {
    local(async move { writing::update(&app, id, request).await })
}

fn remove(
    State(app): Shared,
    UserId(id): UserId,
    _: NoQuery,
    headers: HeaderMap,
) -> impl Future<Output = Answer> + Send {
    local(async move { writing::remove(&app, id, &headers).await })
}
