//! Servers that take a lock late: the majority has granted it, and the client has the response.

use std::rc::Rc;

use futures_util::future::join_all;
use ports::{Connect, Runtime};

use super::release_on_drop::release;
use crate::quorum::{Quorum, Replies, Server};
use crate::resource::Resource;
use crate::token::Token;

/// How long after the last reply the majority is asked. A release that overtook the SET has reached it by then.
const SETTLE_MS: u64 = 50;

/// Lets the late servers take the lock in the background: then it survives the loss of another server. If the lock is
/// released meanwhile, a late server may handle the removal before the SET, and would keep the lock until its TTL.
/// While another server is down, nobody could lock the resource. So the lock is removed from the late servers if the
/// majority does not hold it any more.
pub(super) fn await_late_servers<R: Connect, T: Runtime, A: 'static>(
    quorum: &Rc<Quorum<R, T>>,
    mut replies: Replies<A>,
    resource: &Resource,
    token: &Token,
) {
    let late: Vec<Rc<Server<R, T>>> = replies.missing().map(|at| Rc::clone(&quorum.servers[at])).collect();
    if late.is_empty() {
        return;
    }
    let (quorum, resource, token) = (Rc::clone(quorum), resource.clone(), token.clone());
    Rc::clone(&quorum.runtime).spawn(async move {
        replies.wait_for_all().await;
        quorum.runtime.sleep(SETTLE_MS).await;
        if is_released(&quorum, &resource, &token).await {
            join_all(late.iter().map(|server| release(server, &*quorum.runtime, &resource, &token))).await;
        }
    });
}

/// Whether the majority replies that it does not hold the lock.
async fn is_released<R: Connect, T: Runtime>(quorum: &Quorum<R, T>, resource: &Resource, token: &Token) -> bool {
    let holds = |server: Rc<Server<R, T>>| {
        let (key, token) = (resource.key(), token.clone());
        async move { server.run(async { Ok(server.value_of(&key).await?.is(token.as_str())) }).await }
    };
    let decided = |replies: &Replies<bool>| replies.is_majority(|holds| *holds) || replies.is_majority(|holds| !holds);
    quorum.ask(holds, decided).await.is_majority(|holds| !holds)
}
