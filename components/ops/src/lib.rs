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

use app::App;

spin_adapter::http_service!("ops", async |service| App::from_variables(service).await.map(routes::router));
