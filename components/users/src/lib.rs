//! The users service: CRUD over PostgreSQL with versioned Redis caching.
//!
//! How a request travels through the files:
//!
//! 1. This file receives it from the host. The first request of an instance builds the [`app`] (what the requests
//!    share) from the variables of `spin.toml`.
//! 2. The router in [`routes`] selects a handler, if the client has the token that [`access`] asks for. Extractors read
//!    the path, the query string and the body ([`input`]) and check them with the [`rules`]. If a rule is broken, the
//!    client gets a problem and the handler does not run.
//! 3. The handler reads or writes through the cache: `App::users` is a `versioned_cache::Repository`. What the cache
//!    does not have, and every write, is one SQL statement of the [`store`].
//! 4. The result becomes one of the [`responses`], an error one of the [`problems`].
//!
//! docs/users.md describes the API, docs/problems.md its errors.

mod access;
mod app;
mod cursor;
mod input;
mod page;
mod problems;
mod responses;
mod routes;
mod rules;
mod store;
mod user;
mod user_events;

use app::App;

spin_adapter::http_service!("users", async |service| App::from_variables(service).await.map(routes::router));
