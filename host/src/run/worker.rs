//! One worker: the pools of a thread, and its connections to other servers.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::{Context, Result};
use http::uri::Authority;

use super::application::{Application, Options};
use super::call_component::{Caller, submit_calls};
use crate::engine::{Compiled, WorkerResources};
use crate::interfaces::clients::http::HttpClient;
use crate::interfaces::clients::postgres::Pools;
use crate::manifest::Component;
use crate::pool::{Pool, instance};

/// One worker.
pub struct Worker {
    /// What all workers share.
    pub application: Arc<Application>,
    /// A pool for each component, in the order of the application's components.
    pub pools: Vec<Rc<Pool>>,
}

impl Worker {
    /// A worker on this thread, in a `LocalSet`. `address` is where the application listens.
    pub fn new(application: Arc<Application>, options: &Options, address: SocketAddr) -> Result<Self> {
        let origin = Authority::try_from(address.to_string()).context("the address is not an authority")?;
        let client = HttpClient::default();
        let postgres = Arc::new(Pools::new(options.workers));
        let (caller, calls) = Caller::new(application.clone());
        let caller = Arc::new(caller);
        let pool = |(component, compiled): (&Arc<Component>, &Compiled)| {
            let resources = WorkerResources {
                component: component.clone(),
                client: client.clone(),
                postgres: postgres.clone(),
                components: caller.clone(),
                origin: origin.clone(),
                memory: options.limits.memory,
                quiet: options.quiet,
            };
            instance::pool(options.limits, resources, compiled.clone())
        };
        let pools: Vec<_> = application.components.iter().zip(&application.compiled).map(pool).collect();
        tokio::task::spawn_local(submit_calls(pools.clone(), calls));
        Ok(Self { application, pools })
    }
}
