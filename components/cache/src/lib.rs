//! The cache service: cache-aside by key, bulk reads and writes, precise invalidation, administration.
//!
//! Each file below [`routes`] has the input of its routes, then their handlers. Handlers use the cache protocol
//! (`App::cache`) with the entries that [`kv`] (keys) and [`described`] (module, operation, parameters, user) build.
//! Values that are not cached come from the [`origin`]. Large requests reserve memory in a [`budget`] first.
//! docs/cache.md describes the API, docs/problems.md its errors.
//!
//! Modules import downwards only: `routes` → `warming`, `conditional` → `app`, `responses` → `origin`, `ttls`,
//! `cache_events` → `target`, `described` → `problems`, `budget`, `params`, `kv` → `key`, `ttl`.

mod app;
mod budget;
mod cache_events;
mod conditional;
mod described;
mod key;
mod kv;
mod limited;
mod origin;
mod params;
mod problems;
mod responses;
mod routes;
mod target;
mod ttl;
mod ttls;
mod warming;

use http_api::Shared;

use app::App;

// Other caches do not store the responses: an invalidation would not reach them.
spin_adapter::http_service!("cache", async |service| {
    let app = Shared::new(App::from_variables(service).await?);
    warming::start(service, &app);
    Ok(routes::router(app))
});
