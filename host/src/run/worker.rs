//! One worker: the pools of a thread, and its connections to other servers.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::{Context, Result};
use http::uri::Authority;
use tokio::sync::{Semaphore, watch};

use super::application::{Application, Options};
use super::call_component::{calls, submit_calls};
use crate::engine::Compiled;
use crate::interfaces::WorkerResources;
use crate::interfaces::clients::http::HttpClient;
use crate::interfaces::clients::postgres::Pools;
use crate::manifest::Component;
use crate::metrics::WorkerMetrics;
use crate::pool::{Pool, instance};

/// One worker.
pub struct Worker {
    /// What all workers share.
    pub application: Arc<Application>,
    /// A pool for each component, in the order of the application's components. None for those without HTTP.
    pub pools: Vec<Option<Rc<Pool>>>,
    /// What the instances of each component share, in the same order.
    pub resources: Vec<Arc<WorkerResources>>,
    /// For each component, in the same order: places for requests whose body is long or slow, half of all places.
    pub long_bodies: Vec<Arc<Semaphore>>,
    /// Where the application listens: the authority of requests that name none.
    pub origin: Authority,
    /// Where this worker counts.
    pub metrics: WorkerMetrics,
}

impl Worker {
    /// A worker on this thread, in a `LocalSet`. `address` is where the application listens.
    pub fn new(
        application: Arc<Application>,
        options: &Options,
        address: SocketAddr,
        metrics: WorkerMetrics,
    ) -> Result<Self> {
        let origin = Authority::try_from(address.to_string()).context("the address is not an authority")?;
        let client = HttpClient::default();
        let postgres = Arc::new(Pools::new(options.postgres, options.workers()));
        let (call_component, calls) = calls(application.clone(), metrics.clone());
        let resources = |(index, component): (usize, &Arc<Component>)| {
            Arc::new(WorkerResources {
                component: component.clone(),
                client: client.clone(),
                postgres: postgres.clone(),
                call_component: call_component.clone(),
                origin: origin.clone(),
                memory: application.memory.clone(),
                recorder: metrics.of_component(index),
            })
        };
        let resources: Vec<_> = application.components.iter().enumerate().map(resources).collect();
        let pool = |(compiled, shared): (&Compiled, &Arc<WorkerResources>)| {
            let component = compiled.http.clone()?;
            Some(instance::pool(options.limits, shared.clone(), component, options.quiet))
        };
        tokio::task::spawn_local(async move { postgres.keep_closing_idle().await });
        let pools: Vec<_> = application.compiled.iter().zip(&resources).map(pool).collect();
        let places = options.limits.instances.saturating_mul(options.limits.concurrent);
        let half = (places / 2).clamp(1, Semaphore::MAX_PERMITS);
        let long_bodies = pools.iter().map(|_| Arc::new(Semaphore::new(half))).collect();
        tokio::task::spawn_local(submit_calls(pools.clone(), calls));
        tokio::task::spawn_local(end_idle_instances(pools.clone(), application.memory.when_short()));
        Ok(Self { application, pools, resources, long_bodies, origin, metrics })
    }
}

/// Ends instances that have nothing to do whenever memory is short.
async fn end_idle_instances(pools: Vec<Option<Rc<Pool>>>, mut short: watch::Receiver<()>) {
    while short.changed().await.is_ok() {
        pools.iter().flatten().for_each(|pool| pool.end_idle());
    }
}
