//! The traits and types of the `spin:*` interfaces, generated from `host/wit`: those that components import, and the
//! one that components of Redis triggers export.
#![allow(missing_docs, clippy::all)]

wasmtime::component::bindgen!({
    path: "wit",
    world: "tumbler:host/platform",
    imports: { default: async | tracing },
    with: {
        "spin:redis/redis.connection": ::redis::aio::MultiplexedConnection,
        "spin:postgres/postgres.connection": crate::interfaces::clients::postgres::Client,
        "spin:postgres/postgres.connection-builder": crate::interfaces::clients::postgres::ConnectionSettings,
    },
});

/// What a component of a Redis trigger exports.
pub mod subscriber {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "tumbler:host/subscriber",
        imports: { default: async },
        exports: { default: async },
        with: { "spin:redis/redis": super::spin::redis::redis },
    });
}
