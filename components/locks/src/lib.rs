//! The locks service: mutual exclusion over HTTP, for programs that have no Redis client. It is the smallest component:
//! copy its structure for a new one.
//!
//! How a request travels through the files:
//!
//! 1. This file receives it from the host. The first request of an instance builds the [`app`] (what the requests
//!    share) from the variables of `spin.toml`.
//! 2. The router in [`routes`] checks the token of the client and selects a handler.
//! 3. The files below [`routes`] have the routes: the input of each, then its handler. The handler's arguments are
//!    extractors. They read the path, the query string and the body, and check them with the [`rules`]. If a rule is
//!    broken, the client gets a problem that names all broken rules, and the handler does not run.
//! 4. The handler calls the lock protocol (the crate `token-lock`), which talks to Redis.
//! 5. The result becomes one of the [`responses`], an error one of the [`problems`].
//!
//! docs/locks.md describes the API, docs/problems.md its errors.

mod app;
mod problems;
mod responses;
mod routes;
mod rules;

use app::App;

// Caches do not store the responses: a lock can end at any time.
spin_adapter::http_service!("locks", async |service| App::from_variables(service).await.map(routes::router));
