//! Counters in Redis that cost no answer any time: events are gathered in memory and sent after the answer.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use futures_util::future::join_all;
use redis_port::{Redis, Runtime};

use crate::Cache;
use crate::key::{Entry, STATS};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    Hit,
    Miss,
    Bypass,
    Collapsed,
    Error,
}

impl Event {
    fn name(self) -> &'static str {
        match self {
            Self::Hit => "hits",
            Self::Miss => "misses",
            Self::Bypass => "bypasses",
            Self::Collapsed => "collapsed",
            Self::Error => "errors",
        }
    }
}

/// How long events gather before they are sent, in ms: under load that makes the counters next to free, and a request
/// stays this much longer, after its answer.
const GATHER_MS: u64 = 5;

/// Events of this instance that Redis does not know yet.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    pending: RefCell<BTreeMap<(&'static str, &'static str, Event), i64>>,
    gathering: Rc<Cell<bool>>,
}

/// Lets the next event start a sender, also when this one is cancelled with its request.
struct Gathering(Rc<Cell<bool>>);

impl Drop for Gathering {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl<R: Redis + 'static, T: Runtime + 'static> Cache<R, T> {
    /// Counts an event in the hash `cache:stats`, field `{module}:{operation}:{event}`.
    pub(crate) fn count(&self, entry: &Entry, event: Event) {
        *self.stats.pending.borrow_mut().entry((entry.module, entry.operation, event)).or_default() += 1;
        if !self.stats.gathering.replace(true)
            && let Some(cache) = self.me.upgrade()
        {
            let gathering = Gathering(Rc::clone(&self.stats.gathering));
            self.runtime.spawn(async move {
                cache.runtime.sleep(GATHER_MS).await;
                drop(gathering);
                cache.send_stats().await;
            });
        }
    }

    async fn send_stats(&self) {
        let batch = self.stats.pending.take();
        if batch.is_empty() || self.admit().is_err() {
            return;
        }
        join_all(batch.into_iter().map(|((module, operation, event), times)| {
            let field = [module, ":", operation, ":", event.name()].concat();
            self.call("HINCRBY", vec![STATS.into(), field.into(), times.into()])
        }))
        .await;
    }
}
