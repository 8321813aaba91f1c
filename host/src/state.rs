//! The data of one instance's store.

use std::sync::Arc;

use http::uri::Authority;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::sockets::SocketAddrUse;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::connect::HttpClient;
use crate::interfaces::http::Outbound;
use crate::interfaces::postgres::Pools;
use crate::limits::MemoryLimiter;
use crate::manifest::Component;
use crate::stdio::{PrefixedLines, Target};

/// What the instances of a component on one worker have in common.
pub struct Surroundings {
    /// The component.
    pub component: Arc<Component>,
    /// The worker's HTTP client.
    pub client: HttpClient,
    /// The worker's PostgreSQL connections.
    pub postgres: Arc<Pools>,
    /// Where the application listens.
    pub origin: Authority,
    /// Memory of an instance, in bytes.
    pub memory: usize,
    /// Whether what components print is thrown away.
    pub quiet: bool,
}

/// The data of one instance's store.
pub struct InstanceState {
    /// Whose instance.
    pub component: Arc<Component>,
    /// Resources that the component has handles of.
    pub table: ResourceTable,
    /// The worker's PostgreSQL connections.
    pub postgres: Arc<Pools>,
    /// How much memory it has.
    pub limiter: MemoryLimiter,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outbound: Outbound,
}

impl InstanceState {
    /// The data of a new instance.
    pub fn new(surroundings: &Surroundings) -> Self {
        let component = &surroundings.component;
        let mut wasi = WasiCtx::builder();
        wasi.envs(&component.environment);
        if !surroundings.quiet {
            wasi.stdout(PrefixedLines::new(&component.id, Target::Stdout));
            wasi.stderr(PrefixedLines::new(&component.id, Target::Stderr));
        }
        wasi.allow_ip_name_lookup(true);
        let owner = component.clone();
        wasi.socket_addr_check(move |address, purpose| {
            let allows = |scheme| owner.allowed_hosts.allows(&address.to_string(), scheme);
            let allowed = match purpose {
                // Before it connects or sends, a socket is bound to any free port.
                SocketAddrUse::TcpBind | SocketAddrUse::UdpBind => address.ip().is_unspecified() && address.port() == 0,
                SocketAddrUse::TcpConnect => allows("tcp"),
                SocketAddrUse::UdpSend | SocketAddrUse::UdpReceive => allows("udp"),
                SocketAddrUse::TcpListen | SocketAddrUse::TcpAccept => false,
            };
            Box::pin(std::future::ready(allowed))
        });
        Self {
            component: component.clone(),
            table: ResourceTable::new(),
            postgres: surroundings.postgres.clone(),
            limiter: MemoryLimiter::new(surroundings.memory),
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            outbound: Outbound {
                component: component.clone(),
                client: surroundings.client.clone(),
                origin: surroundings.origin.clone(),
            },
        }
    }
}

impl WasiView for InstanceState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for InstanceState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outbound, table: &mut self.table, ctx: &mut self.http }
    }
}
