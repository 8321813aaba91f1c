//! The data of one instance's store.

use std::sync::Arc;

use wasmtime::ResourceLimiter;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::sockets::SocketAddrUse;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::memory::MemoryLimiter;
use super::stdio::{PrefixedLines, Target};
use crate::interfaces::http::Outbound;
use crate::interfaces::{SpinState, WorkerResources};

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
    /// The data of a new instance, which may use `memory` bytes. Its output is discarded if `quiet`.
    pub fn new(shared: &Arc<WorkerResources>, memory: usize, quiet: bool) -> Self {
        let component = &shared.component;
        let mut wasi = WasiCtx::builder();
        wasi.envs(&component.environment);
        if !quiet {
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
            spin: SpinState { shared: shared.clone(), table: ResourceTable::new() },
            memory: MemoryLimiter::new(memory, shared.memory.clone()),
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            outbound: Outbound(shared.clone()),
        }
    }

    /// The limit on the instance's memory.
    pub fn memory_limiter(&mut self) -> &mut dyn ResourceLimiter {
        &mut self.memory
    }

    /// Whether the instance could not allocate memory because the host has no more.
    pub fn is_host_full(&self) -> bool {
        self.memory.is_host_full()
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
