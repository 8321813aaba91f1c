//! What components may import beside WASI: `spin:redis`, `spin:postgres`, `spin:variables`; and how their outgoing
//! HTTP requests are sent.

pub mod http;
pub mod postgres;
pub mod redis;
pub mod variables;

use wasmtime::component::{HasData, Linker};

use crate::state::InstanceState;

#[allow(missing_docs, clippy::all)]
mod bindings {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "tumbler:host/platform",
        imports: { default: async },
        with: {
            "spin:redis/redis.connection": super::redis::Connection,
            "spin:postgres/postgres.connection": super::postgres::Connection,
            "spin:postgres/postgres.connection-builder": super::postgres::ConnectionBuilder,
        },
    });
}

pub use bindings::spin;

/// A result that the host holds in memory whole may take this many bytes, as in Spin.
pub const MAX_BUFFERED_BYTES: usize = 128 << 20;

/// The store's data, as the interfaces see it.
pub struct Platform;

impl HasData for Platform {
    type Data<'a> = &'a mut InstanceState;
}

/// Offers the interfaces to components.
pub fn add_to_linker(linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
    bindings::Platform::add_to_linker::<_, Platform>(linker, |state| state)
}
