//! The application, compiled and with its routes, and how to run it: what all workers share.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use clap::Args;
use serde_json::json;

use super::connection_limits::ConnectionLimits;
use super::routes::Router;
use super::{listen, redis_trigger};
use crate::engine::profile::Profile;
use crate::engine::{self, Compiled};
use crate::interfaces::clients::postgres::ConnectionLimit;
use crate::manifest::{App, Component, Target};
use crate::memory::{self, Budget};
use crate::metrics;
use crate::pool::Limits;

/// How to run an application: options of the command line.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Address and port to listen on. With port 0 the system chooses one.
    #[arg(long, env = "SPIN_HTTP_LISTEN_ADDR", default_value = "127.0.0.1:3000", value_parser = listen::parse)]
    pub listen: SocketAddr,

    /// Address and port that serve the host's own metrics, at /metrics. With port 0 the system chooses one. Default: no
    /// metrics.
    #[arg(long, value_name = "ADDRESS", value_parser = listen::parse)]
    pub metrics_listen: Option<SocketAddr>,

    /// Discard the output of components.
    #[arg(short, long)]
    pub quiet: bool,

    /// Record what components do (docs/profiling.md).
    #[arg(long)]
    profile: Option<Profile>,

    /// Number of threads. Default: the number of cores.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    workers: Option<u16>,

    /// The limits of instances and queues.
    #[command(flatten)]
    pub limits: Limits,

    /// The limits of clients' connections.
    #[command(flatten)]
    pub connections: ConnectionLimits,

    /// The limit of PostgreSQL connections.
    #[command(flatten)]
    pub postgres: ConnectionLimit,
}

impl Options {
    /// The number of threads.
    pub fn workers(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.workers.map_or_else(cores, usize::from)
    }
}

/// The application, compiled and with its routes.
pub struct Application {
    /// The body of `/.well-known/spin/info`.
    pub info: Bytes,
    /// Its routes.
    pub router: Router,
    /// Its components …
    pub components: Vec<Arc<Component>>,
    /// … compiled, in the same order.
    pub compiled: Vec<Compiled>,
    /// The memory of the host.
    pub memory: Arc<Budget>,
    /// The Redis servers that it listens to.
    pub redis_servers: Vec<redis_trigger::Server>,
}

impl Application {
    /// Compiles `app`, and watches the memory. Errors: routes that are not valid, components that cannot be compiled.
    pub fn new(app: App, options: &Options) -> Result<Self> {
        let max_memory = options.limits.host_memory();
        let memory = Arc::new(Budget::new(max_memory));
        let router = Router::new(&app)?;
        let compiled = engine::compile(&engine::engine(options.profile)?, &app)?;
        let mut info = json!({ "name": app.name });
        if !app.version.is_empty() {
            info["version"] = json!(app.version);
        }
        let info = serde_json::to_vec_pretty(&info)?.into();
        let redis_servers = redis_trigger::Server::all(app.redis_triggers)?;
        let components = app.components.into_iter().map(Arc::new).collect();
        metrics::note_memory_limit(max_memory);
        // After compiling, which needs much memory for a moment.
        memory::watch(&memory)?;
        Ok(Self { info, router, components, compiled, memory, redis_servers })
    }

    /// The text that names the address and all routes, and the channels of Redis triggers.
    pub fn announcement(&self, address: Option<SocketAddr>) -> String {
        let mut text = address.map(|address| self.routes(address)).unwrap_or_default();
        for server in &self.redis_servers {
            text.push_str(&format!("Redis channels on {}:\n", server.name));
            for (channel, component) in &server.triggers {
                text.push_str(&format!("  {}: {channel}\n", self.components[*component].id));
            }
        }
        text
    }

    fn routes(&self, address: SocketAddr) -> String {
        let base = format!("http://{address}");
        let mut text = format!("Serving {base}\nAvailable Routes:\n");
        for route in self.router.iter() {
            let pattern = route.pattern.to_str().unwrap_or_default();
            let (path, wildcard) = match pattern.strip_suffix("/...") {
                Some(prefix) => (prefix, " (wildcard)"),
                None => (pattern, ""),
            };
            let (name, description) = match &route.target {
                Target::Component(index) => {
                    let component = &self.components[*index];
                    (component.id.as_str(), component.description.as_str())
                }
                Target::Static(_) => ("static response", ""),
            };
            text.push_str(&format!("  {name}: {base}{path}{wildcard}\n"));
            if !description.is_empty() {
                text.push_str(&format!("    {description}\n"));
            }
        }
        text
    }
}
