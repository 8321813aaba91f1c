//! The one crate that knows Spin: the ports over its Redis, PostgreSQL, HTTP client, variables, and the entry point of
//! a component.

#[cfg(feature = "cache")]
pub mod cache;
pub mod http_client;
pub mod observe;
pub mod postgres;
pub mod variables;

mod counting;
mod http;
mod idle_task;
mod log;
mod on_undelivered;
mod poll;
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

/// What [`http_service!`] needs.
#[doc(hidden)]
pub use spin_sdk::wasip3;

/// Makes a crate a component that handles requests with [`serve`]: `http_service!(NAME, BUILD)` with the first and the
/// last argument of that function.
#[macro_export]
macro_rules! http_service {
    ($name:literal, $build:expr) => {
        struct HttpService;

        impl $crate::wasip3::exports::http::handler::Guest for HttpService {
            async fn handle(
                request: $crate::wasip3::http::types::Request,
            ) -> Result<$crate::wasip3::http::types::Response, $crate::wasip3::http::types::ErrorCode> {
                $crate::serve($name, request, $build).await
            }
        }

        $crate::wasip3::http::service::export!(HttpService with_types_in $crate::wasip3);
    };
}
