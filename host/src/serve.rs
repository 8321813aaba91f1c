//! Runs an application: workers on all cores until a signal says stop.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use http::uri::Authority;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};

use crate::limits::Limits;
use crate::manifest::{App, Target};
use crate::routes::Router;
use crate::worker::{self, Shared};
use crate::{engine, listen, trust};

/// How to run it.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; with port 0 the system chooses.
    pub listen: SocketAddr,
    /// How many threads.
    pub workers: usize,
    /// What instances may take.
    pub limits: Limits,
    /// Whether what components print is thrown away.
    pub quiet: bool,
}

/// Serves `app` until SIGTERM or SIGINT, then lets the requests end. Prints where and which routes on standard output,
/// once connections are accepted. Errors: what cannot be compiled or bound.
pub fn serve(app: App, options: &Options) -> Result<()> {
    trust::install_provider();
    let router = Router::new(&app)?;
    let engine = engine::engine()?;
    let compiled = engine::compile(&engine, &app)?;
    let listeners = listen::open(options.listen, options.workers)?;
    let address = listeners[0].local_addr()?;
    let origin = Authority::try_from(address.to_string()).context("the address is not an authority")?;
    let mut info = json!({ "name": app.name });
    if !app.version.is_empty() {
        info["version"] = json!(app.version);
    }
    let shared = Arc::new(Shared {
        info: serde_json::to_vec_pretty(&info)?.into(),
        router,
        components: app.components.into_iter().map(Arc::new).collect(),
        compiled,
        engine,
        limits: options.limits,
        workers: options.workers,
        quiet: options.quiet,
        origin,
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (stop, stopped) = watch::channel(false);
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (mut threads, mut ends) = (Vec::new(), Vec::new());
        for (number, listener) in listeners.into_iter().enumerate() {
            let (shared, stopped) = (shared.clone(), stopped.clone());
            let (end, ended) = oneshot::channel::<()>();
            ends.push(ended);
            threads.push(std::thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
                // Dropped when the worker ends, also if by a panic.
                let _end = end;
                worker::run(shared, listener, stopped)
            })?);
        }
        announce(&shared, address);
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            // No worker ends by itself: something is wrong with it.
            _ = futures::future::select_all(ends) => {}
        }
        stop.send_replace(true);
        for thread in threads {
            thread.join().map_err(|_| anyhow!("a worker panicked"))??;
        }
        Ok(())
    })
}

fn announce(shared: &Shared, address: SocketAddr) {
    let base = format!("http://{address}");
    let mut text = format!("Serving {base}\nAvailable Routes:\n");
    for route in shared.router.iter() {
        let pattern = route.pattern.to_str().unwrap_or_default();
        let (path, wildcard) = match pattern.strip_suffix("/...") {
            Some(prefix) => (prefix, " (wildcard)"),
            None => (pattern, ""),
        };
        let (name, description) = match &route.target {
            Target::Component(index) => {
                let component = &shared.components[*index];
                (component.id.as_str(), component.description.as_str())
            }
            Target::Static(_) => ("static response", ""),
        };
        text.push_str(&format!("  {name}: {base}{path}{wildcard}\n"));
        if !description.is_empty() {
            text.push_str(&format!("    {description}\n"));
        }
    }
    let mut stdout = std::io::stdout().lock();
    // Whoever started the host may not care to read it.
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}
