//! Servers that failed when a lock was released: the majority has released it, and the client has the response.

use std::rc::Rc;

use futures_util::future::join_all;
use ports::{Connect, Runtime};

use super::compare::Compared;
use crate::quorum::{Quorum, Replies, Server};
use crate::resource::Resource;
use crate::token::Token;

/// The pauses before each attempt: together some seconds, longer than a circuit stays open after a short failure.
const PAUSES_MS: [u64; 6] = [50, 100, 200, 400, 800, 1_600];

/// How many releases of an instance are attempted again on one server at the same time. The locks of others end with
/// their TTL.
const ATTEMPTED_MAX: usize = 64;

/// Releases the lock again, in the background, on the servers that have not replied. Such a server would keep the lock
/// until its TTL, and while another server is down, nobody could lock the resource. Often the server runs, and only
/// the circuit of this instance was open.
pub(super) fn release_again<R: Connect, T: Runtime>(
    quorum: &Rc<Quorum<R, T>>,
    mut replies: Replies<Compared>,
    resource: &Resource,
    token: &Token,
) {
    if replies.unknown() == 0 {
        return;
    }
    let (quorum, resource, token) = (Rc::clone(quorum), resource.clone(), token.clone());
    Rc::clone(&quorum.runtime).spawn(async move {
        replies.wait_for_all().await;
        let failed = replies.failed().map(|at| &quorum.servers[at]);
        join_all(failed.map(|server| attempt(server, &*quorum.runtime, &resource, &token))).await;
    });
}

/// Tries until the server replies that it does not have the lock any more.
async fn attempt<R: Connect, T: Runtime>(server: &Server<R, T>, runtime: &T, resource: &Resource, token: &Token) {
    let attempted = &server.released_again;
    if attempted.get() == ATTEMPTED_MAX {
        return;
    }
    attempted.set(attempted.get() + 1);
    for pause_ms in PAUSES_MS {
        runtime.sleep(pause_ms).await;
        // Not while the circuit is open: a server that is down for long is asked seldom.
        if server.run(server.delete_if(resource, token)).await.is_ok() {
            break;
        }
    }
    attempted.set(attempted.get() - 1);
}
