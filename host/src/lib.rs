//! A lean host for Spin applications: it reads spin.toml and runs the components on wasmtime.
//!
//! There is one thread per core. Each has a listener of its own (`SO_REUSEPORT`), a single-threaded runtime, and its
//! own instances and connections. A request never changes threads. How it travels:
//!
//! 1. `run::server` accepts the connection and reads HTTP/1.1.
//! 2. `run::handler` finds the route (`run::routes`) and adds Spin's header fields (`run::headers`).
//! 3. [`pool::Pool`] queues the request and wakes an instance of its component, or starts one.
//! 4. [`pool::instance`] takes the request and calls the component: one wasmtime store, 16 requests at a time.
//! 5. The component calls the host: [`interfaces`]; `allowed_outbound_hosts` is checked there ([`manifest`]).
//! 6. `run::response` sends the response, in one write if possible.
//!
//! Modules import only from rows below their own:
//!
//! | module | what it contains |
//! |---|---|
//! | [`run`] | start and stop, connections, routes, responses; calls between components |
//! | [`pool`] | which instance serves which request; limits and timeouts |
//! | [`engine`] | wasmtime: compiling components, the data and memory of an instance |
//! | [`interfaces`] | what components import: Redis, PostgreSQL, variables, outgoing HTTP |
//! | [`manifest`] | spin.toml |
//! | [`memory`] | how much memory the host uses, and may use |
//! | [`metrics`] | the host's own figures |

pub mod engine;
pub mod interfaces;
pub mod manifest;
pub mod memory;
pub mod metrics;
pub mod pool;
pub mod run;
