//! Shows a lock without changing it.

use std::rc::Rc;

use futures_util::future::join;
use ports::{Connect, RedisError, Reply, Runtime};

use super::Locks;
use crate::fencing;
use crate::outcome::{Held, Inspected, LockError};
use crate::quorum::{Replies, Server};
use crate::resource::Resource;

/// What one server knows about a resource.
#[derive(Clone, Debug)]
struct Seen {
    /// The token. `None` also for a value that is not a string.
    value: Option<Vec<u8>>,
    /// `None`: free.
    held: Option<Held>,
    fencing: Option<u64>,
}

impl Seen {
    fn same_holder(&self, other: &Self) -> bool {
        self.held.is_some() == other.held.is_some() && self.value == other.value
    }
}

impl<R: Connect, T: Runtime> Locks<R, T> {
    /// Whether `resource` is locked, and for how long.
    ///
    /// # Errors
    /// [`LockError::Unavailable`].
    pub async fn inspect(&self, resource: &Resource) -> Result<Inspected, LockError> {
        let question = |server: Rc<Server<R, T>>| {
            let resource = resource.clone();
            async move { server.run_for_holder(server.look(&resource)).await }
        };
        let agreed = |replies: &Replies<Seen>| {
            let mut seen = replies.successful().map(|(_, seen)| seen);
            seen.find(|seen| replies.is_majority(|other| other.same_holder(seen))).cloned()
        };
        let replies = self.quorum.ask(question, |replies| agreed(replies).is_some()).await;
        if !replies.is_quorum() {
            return Err(replies.error());
        }
        // If the servers do not agree, no token has the majority and the lock is free.
        let held = agreed(&replies).filter(|seen| seen.held.is_some()).map(|seen| {
            let same = replies.successful().filter(|(_, other)| other.same_holder(&seen));
            // The lock ends when the servers that still keep it are no majority.
            Held { ttl_ms: reached(same.filter_map(|(_, other)| other.held?.ttl_ms), replies.majority()) }
        });
        // One counter may be ahead of the granted number: it was lost and started again.
        let fencing = reached(replies.successful().filter_map(|(_, seen)| seen.fencing), replies.majority());
        Ok(Inspected { held, fencing })
    }
}

impl<R: Connect, T: Runtime> Server<R, T> {
    async fn look(&self, resource: &Resource) -> Result<Seen, RedisError> {
        let key = resource.key();
        let get = self.client.send("MGET", vec![key.as_str().into(), resource.fencing_key().into()]);
        let (values, ttl) = join(get, self.client.send_one("PTTL", vec![key.as_str().into()])).await;
        let mut values = values?.into_iter();
        let value = values.next().and_then(Reply::into_bytes);
        // -2: no such key; -1: it never expires.
        let held = match ttl?.as_int() {
            Some(-2) | None => None,
            Some(ttl) => Some(Held { ttl_ms: u64::try_from(ttl).ok() }),
        };
        let value = if held.is_some() { value } else { None };
        Ok(Seen { value, held, fencing: values.next().as_ref().and_then(fencing::number) })
    }
}

/// The greatest number that at least `majority` of `values` reach.
fn reached(values: impl Iterator<Item = u64>, majority: usize) -> Option<u64> {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable_by(|a, b| b.cmp(a));
    values.get(majority - 1).copied()
}
