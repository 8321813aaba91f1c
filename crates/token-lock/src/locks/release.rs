//! Releases and extends a lock with its token; breaks a lock without it.

use std::rc::Rc;

use ports::{Connect, Reply, Runtime};

use super::Locks;
use super::compare::{Compared, ask_majority};
use super::release_again::release_again;
use crate::outcome::{Extended, LockError, Released};
use crate::quorum::{Replies, Server};
use crate::resource::Resource;
use crate::token::Token;

impl<R: Connect, T: Runtime> Locks<R, T> {
    /// Releases the lock on `resource` if `token` holds it. On servers that fail while the majority replies, the release
    /// is repeated in the background.
    ///
    /// # Errors
    /// [`LockError::Unavailable`]: the lock may still be held, until it expires.
    pub async fn release(&self, resource: &Resource, token: &Token) -> Result<Released, LockError> {
        let (compared, replies) = ask_majority(&self.quorum, |server| {
            let (resource, token) = (resource.clone(), token.clone());
            async move { server.run_for_holder(server.delete_if(&resource, &token)).await }
        })
        .await;
        match &compared {
            Ok(_) => release_again(&self.quorum, replies, resource, token),
            Err(_) => self.quorum.detach(replies),
        }
        Ok(match compared? {
            Compared::Same => Released::Removed,
            Compared::Absent => Released::Expired,
            Compared::Different => Released::HeldByAnother,
        })
    }

    /// Sets the TTL of the lock on `resource` to `ttl_ms` from now if `token` holds it. The lock may end later or
    /// earlier than before. `ttl_ms` must be in [`TTL_MS`](crate::TTL_MS).
    ///
    /// # Errors
    /// [`LockError::Unavailable`]: the lock ends either at the old time or at the new one.
    pub async fn extend(&self, resource: &Resource, token: &Token, ttl_ms: u64) -> Result<Extended, LockError> {
        let validity = self.quorum.validity(ttl_ms);
        let (compared, replies) = ask_majority(&self.quorum, |server| {
            let (resource, token) = (resource.clone(), token.clone());
            async move { server.run_for_holder(server.expire_if(&resource, &token, ttl_ms)).await }
        })
        .await;
        self.quorum.detach(replies);
        Ok(match compared? {
            Compared::Same if self.quorum.is_valid(validity.until_ms) => {
                Extended::Until { expires_at_ms: validity.expires_at_ms }
            }
            // Extended, but the reply took longer than the TTL.
            Compared::Same | Compared::Absent => Extended::Expired,
            Compared::Different => Extended::HeldByAnother,
        })
    }

    /// Releases the lock on `resource` without its token, for operators. Returns whether it was held. The holder is not
    /// notified. Its fencing number is outdated as soon as the resource is granted again.
    ///
    /// # Errors
    /// [`LockError::Unavailable`]: the lock may still be held.
    pub async fn break_lock(&self, resource: &Resource) -> Result<bool, LockError> {
        let question = |server: Rc<Server<R, T>>| {
            let key = resource.key();
            async move { server.run_for_holder(server.client.send_one("DEL", vec![key.into()])).await }
        };
        let replies = self.quorum.ask(question, Replies::is_quorum).await;
        let was_held = replies.count(|reply| *reply != Reply::Int(0)) > 0;
        let outcome = if replies.is_quorum() { Ok(was_held) } else { Err(replies.error()) };
        self.quorum.detach(replies);
        outcome
    }
}
