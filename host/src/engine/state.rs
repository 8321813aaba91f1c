//! The data of one instance's store.

use std::sync::Arc;

use http::uri::Authority;
use wasmtime::ResourceLimiter;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::sockets::SocketAddrUse;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::memory::MemoryLimiter;
use super::stdio::{PrefixedLines, Target};
use crate::interfaces::SpinState;
use crate::interfaces::clients::http::HttpClient;
use crate::interfaces::clients::postgres::Pools;
use crate::interfaces::http::{CallComponent, Outbound};
use crate::manifest::Component;

/// What the instances of a component on one worker share.
pub struct WorkerResources {
    /// The component.
    pub component: Arc<Component>,
    /// The worker's HTTP client.
    pub client: HttpClient,
    /// The worker's PostgreSQL connections.
    pub postgres: Arc<Pools>,
    /// Calls other components.
    pub components: Arc<dyn CallComponent>,
    /// Address and port of the application.
    pub origin: Authority,
    /// Memory of an instance, in bytes.
    pub memory: usize,
    /// Whether the output of components is discarded.
    pub quiet: bool,
}

/// The data of one instance's store.
pub struct InstanceState {
    /// The part of the `spin:*` interfaces.
    pub spin: SpinState,
    memory: MemoryLimiter,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outbound: Outbound,
}

impl InstanceState {
    /// The data of a new instance.
    pub fn new(resources: &WorkerResources) -> Self {
        let component = &resources.component;
        let mut wasi = WasiCtx::builder();
        wasi.envs(&component.environment);
        if !resources.quiet {
            wasi.stdout(PrefixedLines::new(&component.id, Target::Stdout));
            wasi.stderr(PrefixedLines::new(&component.id, Target::Stderr));
        }
        wasi.allow_ip_name_lookup(true);
        let owner = component.clone();
        wasi.socket_addr_check(move |address, purpose| {
            let allows = |scheme| owner.allowed_hosts.allows(&address.to_string(), scheme);
            let allowed = match purpose {
                // A socket is bound to any free port before it connects or sends.
                SocketAddrUse::TcpBind | SocketAddrUse::UdpBind => address.ip().is_unspecified() && address.port() == 0,
                SocketAddrUse::TcpConnect => allows("tcp"),
                SocketAddrUse::UdpSend | SocketAddrUse::UdpReceive => allows("udp"),
                SocketAddrUse::TcpListen | SocketAddrUse::TcpAccept => false,
            };
            Box::pin(std::future::ready(allowed))
        });
        Self {
            spin: SpinState {
                component: component.clone(),
                table: ResourceTable::new(),
                postgres: resources.postgres.clone(),
            },
            memory: MemoryLimiter::new(resources.memory),
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            outbound: Outbound {
                component: component.clone(),
                client: resources.client.clone(),
                origin: resources.origin.clone(),
                components: resources.components.clone(),
            },
        }
    }

    /// The limit on the instance's memory.
    pub fn memory_limiter(&mut self) -> &mut dyn ResourceLimiter {
        &mut self.memory
    }
}

impl WasiView for InstanceState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.spin.table }
    }
}

impl WasiHttpView for InstanceState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outbound, table: &mut self.spin.table, ctx: &mut self.http }
    }
}
