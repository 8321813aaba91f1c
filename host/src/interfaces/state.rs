//! The part of a store's data that the `spin:*` interfaces use.

use std::sync::Arc;

use http::uri::Authority;
use http::{Request, Response};
use wasmtime::component::{HasData, ResourceTable};
use wasmtime_wasi_http::{Error, WasiBody};

use super::clients::http::HttpClient;
use super::clients::postgres::Pools;
use crate::manifest::Component;
use crate::memory::Budget;
use crate::metrics::Recorder;

/// A result that the host collects in memory may have this many bytes, as in Spin.
pub const MAX_BUFFERED_BYTES: usize = 128 << 20;

/// A response, and a future that ends when the request's body has been sent.
pub type Sent = (Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

/// A request that has been started.
pub type Sending = Box<dyn Future<Output = Result<Sent, Error>> + Send>;

/// Calls the component with this id without a socket: service chaining, `http://<component>.spin.internal`.
pub type CallComponent = Arc<dyn Fn(&str, Request<WasiBody>) -> Sending + Send + Sync>;

/// What the instances of a component on one worker share.
pub struct WorkerResources {
    /// The component.
    pub component: Arc<Component>,
    /// The worker's HTTP client.
    pub client: HttpClient,
    /// The worker's PostgreSQL connections.
    pub postgres: Arc<Pools>,
    /// Calls other components.
    pub call_component: CallComponent,
    /// Address and port of the application.
    pub origin: Authority,
    /// The memory of the host.
    pub memory: Arc<Budget>,
    /// Where the component's requests and instances are counted.
    pub recorder: Recorder,
}

/// The part of a store's data that the `spin:*` interfaces use.
pub struct SpinState {
    /// What it shares with the other instances.
    pub shared: Arc<WorkerResources>,
    /// Resources that the component has handles of.
    pub table: ResourceTable,
}

/// The type on which the generated traits are implemented that have access to the store.
pub struct Spin;

impl HasData for Spin {
    type Data<'a> = &'a mut SpinState;
}
