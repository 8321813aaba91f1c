//! [`RateLimiter`]: counts requests and decides.

use std::rc::Rc;

use futures_util::future::join;
use ports::{Client, ClientSettings, Connect, RedisError, Runtime};

use crate::capabilities::Capabilities;
use crate::class::Class;
use crate::counter::Counter;
use crate::decision::{Decision, Quota};
use crate::key::{Type, ttl_ms};
use crate::memory::{Known, Memory};
use crate::window::{Moment, Usage};

/// The settings of a [`RateLimiter`], in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long one decision may take.
    pub timeout_ms: u64,
    /// How long the limiter does not ask Redis after a failure.
    pub circuit_open_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { timeout_ms: 100, circuit_open_ms: 500 }
    }
}

/// Counts the requests of clients in one Redis. Create it once per instance: all requests share it.
pub struct RateLimiter<R: Connect, T> {
    client: Client<R, T>,
    capabilities: Capabilities,
    memory: Memory,
}

/// One request of one client.
#[derive(Clone, Copy)]
struct Request<'a> {
    class: &'a Class,
    client: &'a str,
    cost: u64,
    now: Moment,
}

impl<R: Connect, T: Runtime> RateLimiter<R, T> {
    /// A limiter that counts in the server behind `redis`. It opens no connection yet.
    pub fn new(redis: R, runtime: Rc<T>, settings: Settings) -> Rc<Self> {
        let Settings { timeout_ms, circuit_open_ms } = settings;
        // Nothing is repeated: a request that cannot be counted passes.
        let settings = ClientSettings { timeout_ms, circuit_open_ms, patience_ms: 0 };
        Rc::new(Self {
            client: Client::new(redis, runtime, settings),
            capabilities: Capabilities::default(),
            memory: Memory::default(),
        })
    }

    /// Counts a request of `client` in `class`, and decides whether it may pass. `cost` is how many requests it counts
    /// as; it is limited to the range from 1 to the limit of the policy.
    ///
    /// Takes one round trip to Redis for a client that is known; none for one that is certainly refused.
    pub async fn check(self: &Rc<Self>, class: &Class, client: &str, cost: u64) -> Decision {
        let policy = class.policy();
        let now = Moment::new(policy, self.client.runtime().unix_ms());
        let request = Request { class, client, cost: cost.clamp(1, policy.limit()), now };
        let known = self.memory.get(&request.name(), now);
        if !now.admits(known.usage, request.cost) {
            return request.refused(known.usage);
        }
        if !self.client.admits() {
            return Decision::Bypassed(RedisError::Unreachable(
                "the circuit is open after a recent failure".to_owned(),
            ));
        }
        let counted = self.client.within_timeout(self.count(request, known)).await;
        counted.unwrap_or_else(Decision::Bypassed)
    }

    /// Counts with the commands that the server has.
    async fn count(self: &Rc<Self>, request: Request<'_>, known: Known) -> Result<Decision, RedisError> {
        let counters = self.capabilities.counters(&self.client).await?;
        match self.count_in(counters, request, known).await {
            // A full server refuses every command that counts. It would refuse the other type, too.
            Err(RedisError::Refused(why)) if counters == Type::Integer && !why.contains("OOM") => {
                self.capabilities.use_sorted_sets();
                self.count_in(Type::SortedSet, request, known).await
            }
            outcome => outcome,
        }
    }

    async fn count_in(
        self: &Rc<Self>,
        counters: Type,
        request: Request<'_>,
        known: Known,
    ) -> Result<Decision, RedisError> {
        let Request { cost, now, .. } = request;
        let current = request.counter(counters, now.window);
        // If the previous count may still change, the bound of the current one is known only when both replies are
        // here.
        let (bound, read) = match known.is_previous_settled {
            true => (now.at_most(known.usage.previous), None),
            false => (now.policy.limit(), Some(request.counter(counters, now.window.saturating_sub(1)))),
        };
        let previous = async {
            match read {
                Some(counter) => counter.read(&self.client).await,
                None => Ok(known.usage.previous),
            }
        };
        let (added, previous) = join(current.add(&self.client, cost, bound), previous).await;
        let (added, previous) = (added?, previous?);
        let at_most = now.at_most(previous);
        let is_allowed = added.is_counted && added.count <= at_most;
        if added.is_counted && !is_allowed {
            self.take_back(current, cost);
        }
        let count = if is_allowed || !added.is_counted {
            added.count
        } else {
            // Other refused requests are subtracted, too. What then remains is at most the bound.
            added.count.saturating_sub(cost).min(at_most)
        };
        let usage = Usage { previous, current: count };
        let known = Known::read(now, usage);
        self.memory.set(request.name(), known);
        Ok(if is_allowed { request.allowed(usage) } else { request.refused(usage) })
    }

    /// Subtracts what a refused request has added. The response does not wait for it.
    fn take_back(self: &Rc<Self>, counter: Counter, cost: u64) {
        let limiter = Rc::clone(self);
        self.client.runtime().spawn(async move {
            // If this fails, the refused request has used quota in this window.
            let _ = limiter.client.within_timeout(counter.subtract(&limiter.client, cost)).await;
        });
    }
}

impl Request<'_> {
    /// The name of the client in the memory.
    fn name(&self) -> String {
        format!("{}:{}:{}", self.class.name(), self.now.policy.window_ms(), self.client)
    }

    fn counter(&self, counters: Type, window: u64) -> Counter {
        let key = counters.key(self.class.name(), self.client, window);
        Counter { counters, key, ttl_ms: ttl_ms(self.now.policy.window_ms()) }
    }

    /// `usage` includes the request.
    fn allowed(&self, usage: Usage) -> Decision {
        let remaining = self.now.at_most(usage.previous).saturating_sub(usage.current);
        let reset_ms = match remaining {
            0 => self.now.until_admitted_ms(usage, 1),
            _ => self.now.until_end_ms(),
        };
        Decision::Allowed(Quota { remaining, reset_ms: reset_ms.max(1) })
    }

    /// `usage` does not include the request.
    fn refused(&self, usage: Usage) -> Decision {
        let remaining = self.now.at_most(usage.previous).saturating_sub(usage.current);
        let reset_ms = self.now.until_admitted_ms(usage, self.cost);
        Decision::Refused(Quota { remaining, reset_ms: reset_ms.max(1) })
    }
}
