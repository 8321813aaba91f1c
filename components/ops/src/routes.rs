//! The routes of the component.

mod events;
mod health;
mod metrics;
mod problems;
mod publish;
mod ratelimit_check;

use axum::Router;
use axum::routing::{get, post};
use http_api::{Access, Shared, local, no_such_method, no_such_route};

use crate::app::App;

/// The router, which an instance builds once.
pub fn router(app: App) -> Router {
    let open = Router::new()
        .route("/health", get(local(health::alive)))
        .route("/health/ready", get(local(health::ready)))
        .route("/problems", get(local(problems::list)))
        .route("/problems/{type}", get(local(problems::show)));
    let metrics = Router::new().route("/metrics", get(local(metrics::show)));
    let metrics = app.metrics_tokens.guard(Access::Api, metrics);
    let publish = post(local(publish::publish));
    let api = Router::new()
        .route("/api/events", get(local(events::show)))
        .route("/api/publish/{channel}", publish.clone())
        // The empty channel: the problem says what a channel must be.
        .route("/api/publish/", publish)
        .route("/api/ratelimit/check", post(local(ratelimit_check::check)));
    let api = app.tokens.guard(Access::Api, api);
    open.merge(metrics)
        .merge(api)
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_method)
        .with_state(Shared::new(app))
}
