//! The sellers service: registration, verification, sales and analytics of the sellers of a marketplace.
//!
//! How a request travels through the files:
//!
//! 1. This file receives it from the host. The first request of an instance builds the [`app`] (what the requests
//!    share) from the variables of `spin.toml`.
//! 2. The router in [`routes`] selects a handler, after the token was verified. Extractors read the path, the query
//!    string ([`list_query`], [`period`]) and the body ([`fields`], [`sale`], [`reports`]). If a rule is broken, the
//!    client gets a problem and the handler does not run.
//! 3. The handler reads or writes through the cache: [`sellers`]. What the cache does not have, and every write, is one
//!    SQL statement of the [`store`]. A registration asks the [`user_service`] first.
//! 4. The result is a [`seller`] or one of its parts; an error is one of the [`problems`].
//!
//! docs/sellers.md describes the API, docs/problems.md its errors.

mod app;
mod decimal;
mod fields;
mod idempotency_key;
mod list_query;
mod named;
mod period;
mod problems;
mod reports;
mod responses;
mod routes;
mod sale;
mod seller;
mod seller_events;
mod sellers;
mod state;
mod store;
mod user_service;

use app::App;

spin_adapter::http_service!("sellers", async |service| App::from_variables(service).await.map(routes::router));
