//! Acquires one resource on the majority of the servers.

use std::rc::Rc;

use futures_util::future::join_all;
use ports::{Connect, RedisError, Reply, Runtime};

use super::Locks;
use super::release_on_drop::ReleaseOnDrop;
use crate::outcome::{Grant, LockError};
use crate::quorum::{Replies, Server};
use crate::resource::Resource;
use crate::token::Token;

/// The reply of one server: the fencing number if it granted the lock, `None` if another client holds it.
type Fencing = Option<u64>;

impl<R: Connect, T: Runtime> Locks<R, T> {
    /// `None`: another client holds the lock.
    pub(super) async fn acquire_one(
        &self,
        resource: &Resource,
        ttl_ms: u64,
    ) -> Result<Option<(Grant, ReleaseOnDrop<R, T>)>, LockError> {
        let quorum = &self.quorum;
        let token = Token::random(&*quorum.runtime);
        let validity = quorum.validity(ttl_ms);
        let on_drop = ReleaseOnDrop::new(quorum, resource, &token);
        let question = |server: Rc<Server<R, T>>| {
            let (resource, token) = (resource.clone(), token.clone());
            async move { server.run(server.grant(&resource, &token, ttl_ms)).await }
        };
        let decided =
            |replies: &Replies<Fencing>| replies.is_majority(Option::is_some) || replies.is_majority(Option::is_none);
        let replies = quorum.ask(question, decided).await;
        let is_granted = replies.is_majority(Option::is_some);
        let fencing = if is_granted { self.agree_on_fencing(&replies, resource).await } else { None };
        if let Some(fencing) = fencing
            && quorum.is_valid(validity.until_ms)
        {
            quorum.detach(replies);
            let grant = Grant {
                resource: resource.clone(),
                token,
                fencing,
                ttl_ms,
                expires_at_ms: validity.expires_at_ms,
                valid_until_ms: validity.until_ms,
            };
            return Ok(Some((grant, on_drop)));
        }
        let outcome = if is_granted {
            Err(LockError::Unavailable(format!(
                "the majority took longer than the TTL of {ttl_ms} ms, or did not agree"
            )))
        } else if replies.is_quorum() {
            Ok(None)
        } else {
            Err(replies.error())
        };
        self.withdraw(&replies, on_drop, resource, &token).await;
        outcome
    }

    /// The greatest number of the majority. First raises the counters of the majority to it. Every later majority shares a
    /// server with this one, so the next grant gets a greater number.
    async fn agree_on_fencing(&self, replies: &Replies<Fencing>, resource: &Resource) -> Option<u64> {
        let drawn: Vec<(usize, u64)> = replies.successful().filter_map(|(at, number)| Some((at, (*number)?))).collect();
        let greatest = drawn.iter().map(|(_, number)| *number).max()?;
        let raises = drawn.into_iter().map(async |(at, number)| {
            let server = &self.quorum.servers[at];
            server.client.within_timeout(server.raise_fencing(resource, number, greatest)).await
        });
        let raised = join_all(raises).await.into_iter().filter(|raised| *raised == Ok(true)).count();
        (raised >= replies.majority()).then_some(greatest)
    }

    /// Removes what a failed attempt has locked: now on the servers that replied, in the background on the others.
    async fn withdraw(
        &self,
        replies: &Replies<Fencing>,
        mut on_drop: ReleaseOnDrop<R, T>,
        resource: &Resource,
        token: &Token,
    ) {
        let removals = replies.successful().map(async |(at, fencing)| {
            let server = &self.quorum.servers[at];
            let is_gone =
                fencing.is_none() || server.client.within_timeout(server.delete_if(resource, token)).await.is_ok();
            is_gone.then_some(server)
        });
        for server in join_all(removals).await.into_iter().flatten() {
            on_drop.disarm_on(server);
        }
    }
}

impl<R: Connect, T: Runtime> Server<R, T> {
    /// Takes the lock on one server, then gets its fencing number.
    async fn grant(&self, resource: &Resource, token: &Token, ttl_ms: u64) -> Result<Fencing, RedisError> {
        if !self.take(&resource.key(), token, ttl_ms).await? {
            return Ok(None);
        }
        self.next_fencing(resource).await.map(Some)
    }

    async fn take(&self, key: &str, token: &Token, ttl_ms: u64) -> Result<bool, RedisError> {
        let set = || {
            let ttl = (ttl_ms as i64).into();
            self.client.send_one("SET", vec![key.into(), token.as_str().into(), "NX".into(), "PX".into(), ttl])
        };
        // The client does not repeat SET by itself. Here it is safe, because the token tells whose lock it is.
        let (reply, is_repeated) = match set().await {
            Err(RedisError::Unreachable(_)) => (set().await?, true),
            outcome => (outcome?, false),
        };
        match reply {
            // Perhaps the first SET took effect and its reply was lost.
            Reply::Nil if is_repeated => Ok(self.value_of(key).await?.is(token.as_str())),
            Reply::Nil => Ok(false),
            _ => Ok(true),
        }
    }
}
