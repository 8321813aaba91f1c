//! Releases a lock, with or without its token.

use std::rc::Rc;

use ports::{Connect, Reply, Runtime};

use super::compare::{Compared, delete_if, on_majority};
use crate::outcome::{LockError, Released};
use crate::quorum::{Quorum, Replies, Server};
use crate::resource::Resource;
use crate::token::Token;

pub(super) async fn release<R: Connect, T: Runtime>(
    quorum: &Quorum<R, T>,
    resource: &Resource,
    token: &Token,
) -> Result<Released, LockError> {
    let compared = on_majority(quorum, |server| {
        let (resource, token) = (resource.clone(), token.clone());
        async move { server.run_for_holder(delete_if(&server, &resource, &token)).await }
    });
    Ok(match compared.await? {
        Compared::Same => Released::Removed,
        Compared::Absent => Released::Expired,
        Compared::Different => Released::HeldByAnother,
    })
}

pub(super) async fn break_lock<R: Connect, T: Runtime>(
    quorum: &Quorum<R, T>,
    resource: &Resource,
) -> Result<bool, LockError> {
    let question = |server: Rc<Server<R, T>>| {
        let key = resource.key();
        async move { server.run_for_holder(server.client.send_one("DEL", vec![key.into()])).await }
    };
    let replies = quorum.ask(question, Replies::is_quorum).await;
    let outcome =
        if replies.is_quorum() { Ok(replies.count(|reply| *reply != Reply::Int(0)) > 0) } else { Err(replies.error()) };
    quorum.detach(replies);
    outcome
}
