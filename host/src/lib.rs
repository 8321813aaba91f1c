//! A lean host for Spin applications: it reads spin.toml and runs its components on wasmtime.
//!
//! One thread per core, each with its own listener (`SO_REUSEPORT`), its own single-threaded runtime and its own
//! instances, which never leave their thread. A request takes this way:
//! [`server`] (HTTP/1.1) → [`routes`] → [`pool`] (queue of the component on this thread) → [`instance`] (one wasmtime
//! store, up to 16 requests at a time) → [`response`] (one write).
//! What a component may import is in [`interfaces`]; what it may reach in [`egress`].

pub mod answer;
pub mod connect;
pub mod duration;
pub mod egress;
pub mod engine;
pub mod failure;
pub mod headers;
pub mod instance;
pub mod interfaces;
pub mod limits;
pub mod listen;
pub mod manifest;
pub mod pool;
pub mod problem;
pub mod response;
pub mod routes;
pub mod serve;
pub mod server;
pub mod slot;
pub mod state;
pub mod stdio;
pub mod trust;
pub mod worker;
