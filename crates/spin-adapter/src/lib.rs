//! The one crate that knows Spin: the ports over its Redis, PostgreSQL, HTTP client, variables, and the entry point of a
//! component.

pub mod http_client;
pub mod postgres;
pub mod variables;

#[cfg(target_family = "wasm")]
mod allocator;
mod on_undelivered;
mod redis;
mod runtime;
mod serve;

pub use on_undelivered::on_undelivered;
pub use redis::{DedicatedConnection, SpinRedis, exceeds_limit};
pub use runtime::SpinRuntime;
pub use serve::serve;
