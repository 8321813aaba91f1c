//! One worker: a thread with its own runtime, listener, instances and connections to the outside.

use std::cell::RefCell;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use http::Request;
use http::uri::Authority;
use tokio::sync::watch;
use tokio::task::LocalSet;
use wasmtime::Engine;
use wasmtime_wasi_http::WasiBody;

use crate::connect::HttpClient;
use crate::engine::Compiled;
use crate::headers;
use crate::interfaces::postgres::Pools;
use crate::limits::Limits;
use crate::manifest::Component;
use crate::pool::{Answer, Pool};
use crate::routes::{Matched, Route, Router};
use crate::server;
use crate::state::Surroundings;

/// How long requests may take to end after the signal to stop.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// What all workers share.
pub struct Shared {
    /// The application's name and version, as `/.well-known/spin/info` answers.
    pub info: bytes::Bytes,
    /// Its routes.
    pub router: Router,
    /// Its components …
    pub components: Vec<Arc<Component>>,
    /// … compiled, in the same order.
    pub compiled: Vec<Compiled>,
    /// The engine that runs them.
    pub engine: Engine,
    /// What instances may take.
    pub limits: Limits,
    /// How many workers there are.
    pub workers: usize,
    /// Whether what components print is thrown away.
    pub quiet: bool,
    /// Where the application listens.
    pub origin: Authority,
}

/// One worker.
pub struct Worker {
    /// What all workers share.
    pub shared: Arc<Shared>,
    /// The instances of each component.
    pub pools: Vec<Rc<Pool>>,
}

thread_local! {
    /// The worker of this thread.
    static CURRENT: RefCell<Option<Rc<Worker>>> = const { RefCell::new(None) };
}

impl Worker {
    fn new(shared: Arc<Shared>) -> Self {
        let client = HttpClient::default();
        let postgres = Arc::new(Pools::new(shared.workers));
        let pool = |(component, compiled): (&Arc<Component>, &Compiled)| {
            let surroundings = Surroundings {
                component: component.clone(),
                client: client.clone(),
                postgres: postgres.clone(),
                origin: shared.origin.clone(),
                memory: shared.limits.memory,
                quiet: shared.quiet,
            };
            Rc::new(Pool::new(surroundings, shared.limits, shared.engine.clone(), compiled.clone()))
        };
        let pools = shared.components.iter().zip(&shared.compiled).map(pool).collect();
        Self { shared, pools }
    }
}

/// Sends a request of one component to another of this worker. None if there is no such component.
pub fn chain(component: &str, mut request: Request<WasiBody>) -> Option<Answer> {
    CURRENT.with_borrow(|worker| {
        let worker = worker.as_ref()?;
        let index = worker.shared.components.iter().position(|known| known.id == component)?;
        let path_info = request.uri().path().to_owned();
        let route = Route::chained(index);
        let matched = Matched { route: &route, path_info, captures: Vec::new() };
        headers::add(&mut request, &matched, &headers::chained_client());
        Some(worker.pools[index].submit(request))
    })
}

/// Runs a worker on this thread until `stop` says so and what was begun has ended.
pub fn run(shared: Arc<Shared>, listener: TcpListener, stop: watch::Receiver<bool>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let worker = Rc::new(Worker::new(shared));
        CURRENT.set(Some(worker.clone()));
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let end = async {
            server::serve(worker.clone(), listener, stop.clone()).await;
            for pool in &worker.pools {
                pool.drain().await;
            }
        };
        let mut stopping = stop.clone();
        let given_up = async {
            // The sender lives as long as the process.
            let _ = stopping.wait_for(|stop| *stop).await;
            tokio::time::sleep(DRAIN_TIMEOUT).await;
        };
        tokio::select! {
            () = end => {}
            () = given_up => eprintln!("some requests did not end within {DRAIN_TIMEOUT:?} and were dropped"),
        }
        CURRENT.take();
        Ok(())
    })
}
