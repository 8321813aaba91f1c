//! Compare-and-delete and compare-and-expire: change a lock only if it holds the token. Every operation on a lock after
//! its grant goes through here, except [`break_lock`](super::Locks::break_lock).

use std::rc::Rc;

use futures_util::future::join;
use ports::{Arg, Connect, RedisError, Reply, Runtime};

use crate::capabilities::Delete;
use crate::outcome::LockError;
use crate::quorum::{Quorum, Replies, Server, Value};
use crate::resource::Resource;
use crate::token::Token;

/// What a lock held when it was compared with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compared {
    /// The token: the command took effect.
    Same,
    /// Nothing: the lock is free.
    Absent,
    /// Another value.
    Different,
}

/// Asks all servers and returns what the majority found, and the replies, of which some may still be missing. It is an
/// error if the servers with unknown results could change what was found.
pub(super) async fn ask_majority<R: Connect, T: Runtime, F>(
    quorum: &Quorum<R, T>,
    question: impl Fn(Rc<Server<R, T>>) -> F,
) -> (Result<Compared, LockError>, Replies<Compared>)
where
    F: Future<Output = Result<Compared, RedisError>> + 'static,
{
    const ALL: [Compared; 3] = [Compared::Same, Compared::Absent, Compared::Different];
    let agreed =
        |replies: &Replies<Compared>| ALL.into_iter().find(|found| replies.is_majority(|reply| reply == found));
    let replies = quorum.ask(question, |replies| agreed(replies).is_some()).await;
    let same = replies.count(|reply| *reply == Compared::Same);
    let outcome = match agreed(&replies) {
        Some(found) => Ok(found),
        None if replies.has_failed() || same + replies.unknown() >= replies.majority() => Err(replies.error()),
        // No token has the majority.
        None => Ok(Compared::Absent),
    };
    (outcome, replies)
}

impl<R: Connect, T: Runtime> Server<R, T> {
    /// Deletes the lock on one server if it holds `token`.
    pub(super) async fn delete_if(&self, resource: &Resource, token: &Token) -> Result<Compared, RedisError> {
        let key = resource.key();
        let (key_arg, token_arg) = (|| Arg::from(key.as_str()), || Arg::from(token.as_str()));
        let single = match self.capabilities().await?.delete {
            Delete::DelIfEq => Some(("DELIFEQ", vec![key_arg(), token_arg()])),
            Delete::DelexIfEq => Some(("DELEX", vec![key_arg(), "IFEQ".into(), token_arg()])),
            Delete::Transaction => None,
        };
        self.change_if(&key, token, single, ("DEL", vec![key_arg()])).await
    }

    /// Sets the TTL of the lock on one server if it holds `token`.
    pub(super) async fn expire_if(
        &self,
        resource: &Resource,
        token: &Token,
        ttl_ms: u64,
    ) -> Result<Compared, RedisError> {
        let key = resource.key();
        let (key_arg, token_arg) = (|| Arg::from(key.as_str()), || Arg::from(token.as_str()));
        let ttl = Arg::Int(ttl_ms as i64);
        let set_ifeq = || vec![key_arg(), token_arg(), "IFEQ".into(), token_arg(), "PX".into(), ttl.clone()];
        let single = self.capabilities().await?.has_set_ifeq.then(|| ("SET", set_ifeq()));
        self.change_if(&key, token, single, ("PEXPIRE", vec![key_arg(), ttl])).await
    }

    /// Runs `single`, which compares by itself, or else `in_transaction` under WATCH. Uses the transaction also if the
    /// server refuses `single`: an older server may have replaced the one that had the command, or the value is not a
    /// string.
    async fn change_if(
        &self,
        key: &str,
        token: &Token,
        single: Option<(&str, Vec<Arg>)>,
        in_transaction: (&str, Vec<Arg>),
    ) -> Result<Compared, RedisError> {
        if let Some((command, args)) = single {
            match self.client.send_one(command, args).await {
                Ok(reply) if is_done(&reply) => return Ok(Compared::Same),
                Ok(_) => {
                    let exists = self.client.send_one("EXISTS", vec![key.into()]).await?;
                    return Ok(if exists == Reply::Int(0) { Compared::Absent } else { Compared::Different });
                }
                Err(RedisError::Refused(_)) => self.forget_capabilities(),
                Err(unreachable) => return Err(unreachable),
            }
        }
        self.transact_if(key, token, in_transaction).await
    }

    /// Runs `command`, which replies 1 if it changed something, if the value of `key` is `token`.
    async fn transact_if(
        &self,
        key: &str,
        token: &Token,
        (command, args): (&str, Vec<Arg>),
    ) -> Result<Compared, RedisError> {
        loop {
            let watched = self.client.watch(key).await?;
            // Reads the key while it is watched: if it changes before EXEC, nothing happens.
            let (value, queued) = join(self.value_of(key), watched.queue(command, args.clone())).await;
            queued?;
            let found = match value? {
                Value::Absent => Compared::Absent,
                value if value.is(token.as_str()) => match watched.exec().await?.as_deref() {
                    Some([Reply::Int(1)]) => return Ok(Compared::Same),
                    Some(_) => return Ok(Compared::Absent),
                    // It changed or expired after it was read. Read it again.
                    None => continue,
                },
                Value::Text(_) | Value::Other => Compared::Different,
            };
            // The result does not depend on whether DISCARD succeeds.
            let _ = watched.discard().await;
            return Ok(found);
        }
    }
}

/// Whether DELIFEQ, DELEX or SET found the token.
fn is_done(reply: &Reply) -> bool {
    *reply == Reply::Int(1) || *reply == Reply::Status("OK".to_owned())
}
