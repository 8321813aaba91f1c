//! Operations: what the people and programs need that run the other components.
//!
//! Each file below [`routes`] has the input of its routes, then their handlers. [`metrics`] turns the counters that all
//! components keep in Redis into the text that a Prometheus server reads.
//!
//! docs/operating.md describes health and metrics, docs/problems.md the errors.

mod app;
mod metrics;
mod problems;
mod routes;

use axum::response::Response;
use spin_adapter::serve;
use spin_sdk::http::Request;

use app::App;

/// Handles one request.
#[spin_sdk::http_service]
async fn handle(request: Request) -> Response {
    serve("ops", request, async |service| App::from_variables(service).await.map(routes::router)).await
}
