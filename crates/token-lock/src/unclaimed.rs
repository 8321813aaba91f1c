//! Locks that may have been taken, and that nobody was told of yet.

use std::rc::Rc;

use futures_util::future::join_all;
use ports::{Connect, Redis, Runtime};

use crate::compare::Compared;
use crate::resource::Resource;
use crate::server::Server;
use crate::token::Token;

/// Pauses after the attempts to give a lock back: a SET may be delayed, and arrive after the first of them.
const PAUSES_MS: [u64; 6] = [50, 100, 200, 400, 800, 1_600];

/// A lock that is given back in the background when this is dropped: when the attempt to acquire it failed halfway, or
/// was cancelled. Best effort, for the instance may die too; the TTL does the rest.
pub(crate) struct Unclaimed<R: Redis + Connect + 'static, T: Runtime + 'static> {
    runtime: Rc<T>,
    /// Where it may be.
    servers: Vec<Rc<Server<R, T>>>,
    resource: Resource,
    token: Token,
}

impl<R: Redis + Connect + 'static, T: Runtime + 'static> Unclaimed<R, T> {
    /// That `token` may be set on all `servers` from now on.
    pub(crate) fn new(servers: &[Rc<Server<R, T>>], runtime: &Rc<T>, resource: &Resource, token: &Token) -> Self {
        Self {
            runtime: Rc::clone(runtime),
            servers: servers.to_vec(),
            resource: resource.clone(),
            token: token.clone(),
        }
    }

    /// It need not be given back: its holder knows of it, or it is gone.
    pub(crate) fn claim(mut self) {
        self.servers.clear();
    }

    /// It need not be given back on `server`.
    pub(crate) fn claim_on(&mut self, server: &Rc<Server<R, T>>) {
        self.servers.retain(|kept| !Rc::ptr_eq(kept, server));
    }
}

impl<R: Redis + Connect + 'static, T: Runtime + 'static> Drop for Unclaimed<R, T> {
    fn drop(&mut self) {
        let servers = std::mem::take(&mut self.servers);
        if servers.is_empty() {
            return;
        }
        let (runtime, resource, token) = (Rc::clone(&self.runtime), self.resource.clone(), self.token.clone());
        self.runtime.spawn(async move {
            join_all(servers.iter().map(|server| give_back(server, &*runtime, &resource, &token))).await;
        });
    }
}

async fn give_back<R: Redis + Connect, T: Runtime>(
    server: &Server<R, T>,
    runtime: &T,
    resource: &Resource,
    token: &Token,
) {
    for pause_ms in PAUSES_MS {
        if server.within_deadline(server.delete_if(resource, token)).await == Ok(Compared::Same) {
            return;
        }
        runtime.sleep(pause_ms).await;
    }
}
