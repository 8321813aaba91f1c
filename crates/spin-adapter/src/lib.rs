//! The one crate that knows Spin: the ports over its Redis, PostgreSQL, HTTP client, variables, and the entry point of
//! a component.

#[cfg(feature = "cache")]
pub mod cache;
pub mod http_client;
pub mod observe;
pub mod postgres;
pub mod variables;

mod counting;
mod log;
mod on_undelivered;
mod publishing;
mod rate_limits;
mod redis;
mod runtime;
mod serve;
mod service;
mod users_access;

pub use counting::{METRICS, Recorder};
pub use on_undelivered::on_undelivered;
pub use publishing::Events;
pub use rate_limits::{Limiter, count_bypassed};
pub use redis::{DedicatedConnection, SpinRedis, exceeds_limit};
pub use runtime::SpinRuntime;
pub use serve::serve;
pub use service::Service;
pub use users_access::UsersAccess;

/// Components have one thread.
#[cfg(target_family = "wasm")]
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();
