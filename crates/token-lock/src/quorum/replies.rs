//! The replies of all servers to one question.

use std::pin::Pin;
use std::rc::Rc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use ports::RedisError;

use crate::outcome::LockError;

type PendingReply<A> = Pin<Box<dyn Future<Output = (usize, Result<A, RedisError>)>>>;

/// One reply per server, as far as they have arrived.
pub(crate) struct Replies<A> {
    arrived: Vec<Option<Result<A, RedisError>>>,
    pending: FuturesUnordered<PendingReply<A>>,
}

impl<A: 'static> Replies<A> {
    /// Prepares the request to every server. It is sent when a caller waits for the replies.
    pub(super) fn new<S, F>(servers: &[Rc<S>], question: impl Fn(Rc<S>) -> F) -> Self
    where
        F: Future<Output = Result<A, RedisError>> + 'static,
    {
        let pending = FuturesUnordered::new();
        for (at, server) in servers.iter().enumerate() {
            let reply = question(Rc::clone(server));
            pending.push(Box::pin(async move { (at, reply.await) }) as PendingReply<A>);
        }
        Self { arrived: servers.iter().map(|_| None).collect(), pending }
    }

    /// Waits until `decided`, or too many servers have failed, or all have replied.
    pub(super) async fn wait_until(&mut self, decided: impl Fn(&Self) -> bool) {
        while !decided(self) && !self.has_failed() {
            let Some((at, reply)) = self.pending.next().await else { return };
            self.arrived[at] = Some(reply);
        }
    }

    pub(crate) async fn wait_for_all(&mut self) {
        while let Some((at, reply)) = self.pending.next().await {
            self.arrived[at] = Some(reply);
        }
    }

    pub(super) fn is_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// The indices of the servers that have not replied.
    pub(crate) fn missing(&self) -> impl Iterator<Item = usize> {
        self.arrived.iter().enumerate().filter_map(|(at, reply)| reply.is_none().then_some(at))
    }

    /// The indices of the servers that have failed.
    pub(crate) fn failed(&self) -> impl Iterator<Item = usize> {
        self.arrived.iter().enumerate().filter_map(|(at, reply)| reply.as_ref()?.is_err().then_some(at))
    }

    /// How many servers are a majority: more than half.
    pub(crate) fn majority(&self) -> usize {
        self.arrived.len() / 2 + 1
    }

    /// The successful replies so far, each with the index of its server.
    pub(crate) fn successful(&self) -> impl Iterator<Item = (usize, &A)> {
        self.arrived.iter().enumerate().filter_map(|(at, reply)| Some((at, reply.as_ref()?.as_ref().ok()?)))
    }

    /// How many successful replies match.
    pub(crate) fn count(&self, matches: impl Fn(&A) -> bool) -> usize {
        self.successful().filter(|(_, reply)| matches(reply)).count()
    }

    /// Whether the replies of a majority match.
    pub(crate) fn is_majority(&self, matches: impl Fn(&A) -> bool) -> bool {
        self.count(matches) >= self.majority()
    }

    /// Whether a majority has replied.
    pub(crate) fn is_quorum(&self) -> bool {
        self.is_majority(|_| true)
    }

    /// Whether so many servers have failed that no majority can reply.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed().count() > self.arrived.len() - self.majority()
    }

    /// How many servers failed or have not replied yet. What they did is unknown.
    pub(crate) fn unknown(&self) -> usize {
        self.arrived.len() - self.count(|_| true)
    }

    /// The first failure, for the log.
    pub(crate) fn error(&self) -> LockError {
        let failed = self.arrived.iter().flatten().find_map(|reply| reply.as_ref().err());
        LockError::Unavailable(failed.map_or_else(|| "the servers do not agree".to_owned(), ToString::to_string))
    }
}
