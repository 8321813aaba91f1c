//! The part of a store's data that the `spin:*` interfaces use.

use std::sync::Arc;

use wasmtime::component::{HasData, ResourceTable};

use super::clients::postgres::Pools;
use crate::manifest::Component;

/// A result that the host collects in memory may have this many bytes, as in Spin.
pub const MAX_BUFFERED_BYTES: usize = 128 << 20;

/// The part of a store's data that the `spin:*` interfaces use.
pub struct SpinState {
    /// The component of this instance.
    pub component: Arc<Component>,
    /// Resources that the component has handles of.
    pub table: ResourceTable,
    /// The worker's PostgreSQL connections.
    pub postgres: Arc<Pools>,
}

/// The type on which the generated traits are implemented that have access to the store.
pub struct Spin;

impl HasData for Spin {
    type Data<'a> = &'a mut SpinState;
}
