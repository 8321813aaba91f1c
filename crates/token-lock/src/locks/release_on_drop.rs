//! Releases a lock that no client has received: the attempt to acquire it failed or was cancelled.

use std::rc::Rc;

use futures_util::future::join_all;
use ports::{Connect, Runtime};

use super::compare::Compared;
use crate::quorum::{Quorum, Server};
use crate::resource::Resource;
use crate::token::Token;

/// The pauses between attempts to release: together some seconds, longer than a circuit stays open after a short failure.
/// A delayed SET may arrive after the first of them.
pub(super) const PAUSES_MS: [u64; 6] = [50, 100, 200, 400, 800, 1_600];

/// When this is dropped, the lock is released in the background. Best effort: if the instance dies, the lock ends with
/// its TTL.
pub(super) struct ReleaseOnDrop<R: Connect, T: Runtime> {
    runtime: Rc<T>,
    /// The servers that may have the lock.
    servers: Vec<Rc<Server<R, T>>>,
    resource: Resource,
    token: Token,
}

impl<R: Connect, T: Runtime> ReleaseOnDrop<R, T> {
    /// Create it before the first server can set `token`.
    pub(super) fn new(quorum: &Quorum<R, T>, resource: &Resource, token: &Token) -> Self {
        Self {
            runtime: Rc::clone(&quorum.runtime),
            servers: quorum.servers.clone(),
            resource: resource.clone(),
            token: token.clone(),
        }
    }

    /// Keeps the lock: its holder has received it, or it does not exist any more.
    pub(super) fn disarm(mut self) {
        self.servers.clear();
    }

    /// Do not release the lock on this server.
    pub(super) fn disarm_on(&mut self, server: &Rc<Server<R, T>>) {
        self.servers.retain(|kept| !Rc::ptr_eq(kept, server));
    }
}

impl<R: Connect, T: Runtime> Drop for ReleaseOnDrop<R, T> {
    fn drop(&mut self) {
        let servers = std::mem::take(&mut self.servers);
        if servers.is_empty() {
            return;
        }
        let (runtime, resource, token) = (Rc::clone(&self.runtime), self.resource.clone(), self.token.clone());
        self.runtime.spawn(async move {
            join_all(servers.iter().map(|server| release(server, &*runtime, &resource, &token))).await;
        });
    }
}

/// Removes the lock from one server. Tries again for some seconds, because a delayed SET may arrive there later.
pub(super) async fn release<R: Connect, T: Runtime>(
    server: &Server<R, T>,
    runtime: &T,
    resource: &Resource,
    token: &Token,
) {
    for pause_ms in PAUSES_MS {
        if server.client.within_timeout(server.delete_if(resource, token)).await == Ok(Compared::Same) {
            return;
        }
        runtime.sleep(pause_ms).await;
    }
}
