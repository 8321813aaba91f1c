//! The traits and types of the `spin:*` interfaces, generated from `host/wit`.
#![allow(missing_docs, clippy::all)]

wasmtime::component::bindgen!({
    path: "wit",
    world: "tumbler:host/platform",
    imports: { default: async },
    with: {
        "spin:redis/redis.connection": ::redis::aio::MultiplexedConnection,
        "spin:postgres/postgres.connection": crate::interfaces::clients::postgres::Client,
        "spin:postgres/postgres.connection-builder": crate::interfaces::clients::postgres::ConnectionSettings,
    },
});
