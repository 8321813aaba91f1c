//! Starts an application, and stops it at a signal.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tokio::task::LocalSet;

use super::admission::Admission;
use super::application::{Application, Options};
use super::connections::Connections;
use super::worker::Worker;
use super::{connection_limits, listen, metrics_server, redis_trigger, server};
use crate::engine::profile;
use crate::interfaces::clients::tls;
use crate::manifest::App;
use crate::metrics::{Metrics, WorkerMetrics};

/// How long requests, messages, and the work after responses may take after the signal to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// What a worker's thread serves.
enum Work {
    /// Requests of clients that connect here.
    Connections(TcpListener, Arc<Admission>),
    /// The messages of all Redis triggers.
    RedisTriggers,
}

impl Work {
    fn thread_name(&self, number: usize) -> String {
        match self {
            Self::Connections(..) => format!("worker-{number}"),
            Self::RedisTriggers => "redis".to_owned(),
        }
    }
}

/// Serves `app` until SIGTERM or SIGINT, then waits until the requests are done. Prints the address, all routes and all
/// channels on standard output when it accepts connections. Errors: components that cannot be compiled, an address that
/// is in use.
pub fn serve(app: App, options: &Options) -> Result<()> {
    let limits = &options.connections;
    let max_connections =
        limits.max_connections(connection_limits::raise_open_files(), options.limits.host_memory())?;
    let admission = Admission::new(max_connections, limits.max_connections_per_address);
    tls::install_provider();
    let has_http = !app.http_triggers.is_empty();
    let application = Arc::new(Application::new(app, options)?);
    let listeners = if has_http { listen::open(options.listen, options.workers())? } else { Vec::new() };
    let address = listeners.first().map(TcpListener::local_addr).transpose()?;
    let mut work: Vec<Work> =
        listeners.into_iter().map(|listener| Work::Connections(listener, admission.clone())).collect();
    if !application.redis_servers.is_empty() {
        work.push(Work::RedisTriggers);
    }
    let mut announcement = application.announcement(address);
    let metrics = match options.metrics_listen {
        Some(address) => Some(serve_metrics(&application, work.len(), address, &mut announcement)?),
        None => None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (stop, stopped) = watch::channel(false);
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (mut threads, mut ends) = (Vec::new(), Vec::new());
        for (number, work) in work.into_iter().enumerate() {
            let (application, options, stopped) = (application.clone(), options.clone(), stopped.clone());
            let metrics = metrics.as_ref().map(|metrics| metrics.worker(number)).unwrap_or_default();
            let (end, ended) = oneshot::channel::<()>();
            ends.push(ended);
            threads.push(std::thread::Builder::new().name(work.thread_name(number)).spawn(move || {
                // Dropped when the worker ends, also if it panics.
                let _end = end;
                let address = address.unwrap_or(options.listen);
                run_worker(application, &options, address, work, metrics, stopped)
            })?);
        }
        let mut stdout = std::io::stdout().lock();
        // The program that reads the output may have exited: that is no reason to stop.
        let _ = stdout.write_all(announcement.as_bytes()).and_then(|()| stdout.flush());
        drop(stdout);
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            // A worker ends only if it fails: stop the others too.
            _ = futures::future::select_all(ends) => {}
        }
        stop.send_replace(true);
        for thread in threads {
            thread.join().map_err(|_| anyhow!("a worker panicked"))??;
        }
        if let Some(counts) = profile::table() {
            eprint!("{counts}");
        }
        Ok(())
    })
}

/// Serves the metrics of `workers` threads on `address`, and adds that to the announcement.
fn serve_metrics(
    application: &Application,
    workers: usize,
    address: SocketAddr,
    announcement: &mut String,
) -> Result<Arc<Metrics>> {
    let listener = listen::open(address, 1).context("--metrics-listen")?.remove(0);
    let ids = application.components.iter().map(|component| component.id.clone());
    let metrics = Arc::new(Metrics::new(ids, workers));
    announcement.push_str(&format!("Metrics: http://{}{}\n", listener.local_addr()?, metrics_server::PATH));
    metrics_server::start(metrics.clone(), listener)?;
    Ok(metrics)
}

/// Runs a worker on this thread until `stop` is true and its requests or messages are done. `address` is where the
/// application listens.
fn run_worker(
    application: Arc<Application>,
    options: &Options,
    address: SocketAddr,
    work: Work,
    metrics: WorkerMetrics,
    stop: watch::Receiver<bool>,
) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let worker = Rc::new(Worker::new(application, options, address, metrics)?);
        let mut stopping = stop.clone();
        let served = async {
            match work {
                Work::Connections(listener, admission) => {
                    let listener = tokio::net::TcpListener::from_std(listener)?;
                    let connections = Connections::new(options.connections, worker.metrics.clone());
                    server::serve(worker.clone(), listener, admission, connections, stop).await;
                }
                Work::RedisTriggers => redis_trigger::serve(&worker, options.limits, options.quiet, stop).await,
            }
            for pool in worker.pools.iter().flatten() {
                pool.drain().await;
            }
            Ok(())
        };
        let timed_out = async {
            // No error: the sender lives as long as the process.
            let _ = stopping.wait_for(|stop| *stop).await;
            tokio::time::sleep(DRAIN_TIMEOUT).await;
        };
        tokio::select! {
            result = served => result,
            () = timed_out => {
                eprintln!("some requests or messages did not end within {DRAIN_TIMEOUT:?} and were dropped");
                Ok(())
            }
        }
    })
}
