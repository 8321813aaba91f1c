//! Starts an application, and stops it at a signal.

use std::io::Write;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tokio::task::LocalSet;

use super::application::{Application, Options};
use super::worker::Worker;
use super::{listen, metrics_server, server};
use crate::interfaces::clients::tls;
use crate::manifest::App;
use crate::metrics::{Metrics, WorkerMetrics};

/// How long requests, and the work after their responses, may take after the signal to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves `app` until SIGTERM or SIGINT, then waits until the requests are done. Prints the address and all routes on
/// standard output when it accepts connections. Errors: components that cannot be compiled, an address that is in use.
pub fn serve(app: App, options: &Options) -> Result<()> {
    tls::install_provider();
    let application = Arc::new(Application::new(app)?);
    let listeners = listen::open(options.listen, options.workers())?;
    let address = listeners[0].local_addr()?;
    let metrics_listener = options.metrics_listen.map(|address| listen::open(address, 1)).transpose();
    let metrics_listener = metrics_listener.context("--metrics-listen")?.and_then(|mut listeners| listeners.pop());
    let ids = application.components.iter().map(|component| component.id.clone());
    let metrics = metrics_listener.is_some().then(|| Arc::new(Metrics::new(ids, options.workers())));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (stop, stopped) = watch::channel(false);
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (mut threads, mut ends) = (Vec::new(), Vec::new());
        for (number, listener) in listeners.into_iter().enumerate() {
            let (application, options, stopped) = (application.clone(), options.clone(), stopped.clone());
            let metrics = metrics.as_ref().map(|metrics| metrics.worker(number)).unwrap_or_default();
            let (end, ended) = oneshot::channel::<()>();
            ends.push(ended);
            threads.push(std::thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
                // Dropped when the worker ends, also if it panics.
                let _end = end;
                run_worker(application, &options, listener, metrics, stopped)
            })?);
        }
        let mut announcement = application.announcement(address);
        if let Some((metrics, listener)) = metrics.zip(metrics_listener) {
            announcement.push_str(&format!("Metrics: http://{}{}\n", listener.local_addr()?, metrics_server::PATH));
            metrics_server::start(metrics, listener)?;
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
        Ok(())
    })
}

/// Runs a worker on this thread until `stop` is true and its requests are done.
fn run_worker(
    application: Arc<Application>,
    options: &Options,
    listener: TcpListener,
    metrics: WorkerMetrics,
    stop: watch::Receiver<bool>,
) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let worker = Rc::new(Worker::new(application, options, listener.local_addr()?, metrics)?);
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let done = async {
            server::serve(worker.clone(), listener, stop.clone()).await;
            for pool in &worker.pools {
                pool.drain().await;
            }
        };
        let mut stopping = stop.clone();
        let timed_out = async {
            // No error: the sender lives as long as the process.
            let _ = stopping.wait_for(|stop| *stop).await;
            tokio::time::sleep(DRAIN_TIMEOUT).await;
        };
        tokio::select! {
            () = done => {}
            () = timed_out => eprintln!("some requests did not end within {DRAIN_TIMEOUT:?} and were dropped"),
        }
        Ok(())
    })
}
