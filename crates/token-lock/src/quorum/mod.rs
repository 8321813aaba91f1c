//! The servers that keep the locks: a single one, or several independent ones of which a majority decides (Redlock:
//! <https://redis.io/docs/latest/develop/clients/patterns/distributed-locks/>). A single server is its own majority.

mod replies;
mod server;

use std::pin::pin;
use std::rc::Rc;

use futures_util::future::select;
use ports::{Connect, RedisError, Runtime};
pub(crate) use replies::Replies;
pub(crate) use server::{Server, Value};

use crate::settings::Settings;

/// How long to wait for the other servers after the majority has decided. So the caller's next request usually finds
/// the same state on all servers. A server that hangs costs this time per request only until its circuit opens.
const STRAGGLERS_MS: u64 = 10;

pub(crate) struct Quorum<R: Connect, T> {
    pub(crate) servers: Vec<Rc<Server<R, T>>>,
    pub(crate) runtime: Rc<T>,
}

/// Until when a lock can be trusted. Both times are counted from before the request was sent.
#[derive(Clone, Copy)]
pub(crate) struct Validity {
    /// By the monotonic clock.
    pub(crate) until_ms: u64,
    /// By the wall clock.
    pub(crate) expires_at_ms: u64,
}

impl<R: Connect, T: Runtime> Quorum<R, T> {
    pub(crate) fn new(servers: Vec<R>, runtime: T, settings: Settings) -> Self {
        let runtime = Rc::new(runtime);
        let is_single = servers.len() == 1;
        let server = |redis| Rc::new(Server::new(redis, Rc::clone(&runtime), settings, is_single));
        Self { servers: servers.into_iter().map(server).collect(), runtime }
    }

    /// Asks all servers concurrently. Returns when the replies are `decided`, and the others had a short time to reply.
    pub(crate) async fn ask<A: 'static, F>(
        &self,
        question: impl Fn(Rc<Server<R, T>>) -> F,
        decided: impl Fn(&Replies<A>) -> bool,
    ) -> Replies<A>
    where
        F: Future<Output = Result<A, RedisError>> + 'static,
    {
        let mut replies = Replies::new(&self.servers, question);
        replies.wait_until(decided).await;
        self.await_stragglers(&mut replies).await;
        replies
    }

    async fn await_stragglers<A: 'static>(&self, replies: &mut Replies<A>) {
        if replies.is_pending() {
            select(pin!(replies.wait_for_all()), pin!(self.runtime.sleep(STRAGGLERS_MS))).await;
        }
    }

    /// Lets the requests that are still pending continue in the background. Dropping the replies would cancel them.
    pub(crate) fn detach<A: 'static>(&self, mut replies: Replies<A>) {
        if replies.is_pending() {
            self.runtime.spawn(async move { replies.wait_for_all().await });
        }
    }

    /// Until when a lock with this TTL can be trusted if it is requested now. With several servers that is 1 % and 2 ms
    /// less than the TTL, as in Redlock, because their clocks may run faster than ours.
    pub(crate) fn validity(&self, ttl_ms: u64) -> Validity {
        let drift_ms = if self.servers.len() > 1 { ttl_ms / 100 + 2 } else { 0 };
        let (now_ms, now_unix_ms) = (self.runtime.monotonic_ms(), self.runtime.unix_ms());
        let life_ms = ttl_ms - drift_ms;
        Validity { until_ms: now_ms + life_ms, expires_at_ms: now_unix_ms + life_ms }
    }

    /// Whether a lock that can be trusted until then can be trusted now.
    pub(crate) fn is_valid(&self, until_ms: u64) -> bool {
        self.runtime.exact_monotonic_ms() < until_ms
    }
}
