//! What components can import besides WASI: `spin:redis`, `spin:postgres` and `spin:variables`; what happens to their
//! outgoing HTTP requests; and what components of Redis triggers export ([`SubscriberPre`]). One module for each
//! interface, the connections behind them in [`clients`].

mod bindings;
pub mod clients;
pub mod http;
mod postgres;
mod redis;
mod redis_address;
mod state;
mod variables;

pub use bindings::spin::redis::redis::Error as HandlerError;
pub use bindings::subscriber::SubscriberPre;
pub use state::{CallComponent, Sending, SpinState, WorkerResources};

use state::Spin;
use wasmtime::component::Linker;

/// Offers the `spin:*` interfaces to components. `spin` finds their part in the data of a store.
pub fn add_to_linker<T: Send>(linker: &mut Linker<T>, spin: fn(&mut T) -> &mut SpinState) -> wasmtime::Result<()> {
    bindings::Platform::add_to_linker::<_, Spin>(linker, spin)
}
