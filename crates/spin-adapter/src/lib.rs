//! The one crate that knows Spin: everything else is written against the ports.

pub mod database;
pub mod http;
pub mod variables;

#[cfg(target_family = "wasm")]
mod allocator;
mod redis;
mod runtime;

pub use redis::{DedicatedConnection, SpinRedis, exceeds_limit};
pub use runtime::SpinRuntime;
