//! Runs an application: workers on all cores, their connections, and each request from its first byte to its response.
//!
//! [`serve`] starts and stops everything. A connection is in `server`, a request in `handler`. `validity`, `stream`,
//! `request_line` and `exchange` do what HTTP requires of a server and hyper does not do; docs/http.md lists it.
//! Timeouts and limits of clients are in `deadlines`, `connections`, `admission` and `request_body`; docs/limits.md
//! lists them. Messages of Redis are in `redis_trigger`.

mod admission;
mod application;
mod call_component;
mod closing;
mod connection_limits;
mod connections;
mod deadlines;
mod exchange;
mod handler;
mod headers;
mod listen;
mod metrics_server;
mod problem;
mod redis_trigger;
mod request_body;
mod request_line;
mod response;
mod route_pattern;
mod routes;
mod serve;
mod server;
mod stream;
mod validity;
mod worker;

pub use application::Options;
pub use serve::serve;
