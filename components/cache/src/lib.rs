//! The cache service: cache-aside by key, bulk reads and writes, precise invalidation, administration.
//!
//! Each file below [`routes`] has the input of its routes, then their handlers. Handlers use the cache protocol
//! (`App::cache`) with the entries that [`kv`] builds. Values that are not cached come from the [`origin`]. Large
//! requests reserve [`memory`] first. docs/cache.md describes the API, docs/problems.md its errors.
//!
//! Modules import downwards only: `routes` → `app`, `responses` → `problems`, `memory`, `target` → `origin` → `kv` →
//! `key`, `ttl`.

mod app;
mod key;
mod kv;
mod memory;
mod origin;
mod problems;
mod responses;
mod routes;
mod target;
mod ttl;

use axum::response::Response;
use spin_adapter::serve;
use spin_sdk::http::Request;

use app::App;

/// Handles one request. Other caches do not store the response: an invalidation would not reach them.
#[spin_sdk::http_service]
async fn handle(request: Request) -> Response {
    serve("cache", request, async |service| App::from_variables(service).await.map(routes::router)).await
}
