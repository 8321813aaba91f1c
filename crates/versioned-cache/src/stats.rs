//! Counters in Redis that cost no answer any time: events are gathered in memory and sent after the answer.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use futures_util::future::join_all;
use ports::{Connect, Redis, RedisError, Runtime};

use crate::Cache;
use crate::entry::Entry;
use crate::key::STATS;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    Hit,
    Miss,
    Bypass,
    Collapsed,
    Fill,
    Corrupt,
    Error,
}

impl Event {
    fn name(self) -> &'static str {
        match self {
            Self::Hit => "hits",
            Self::Miss => "misses",
            Self::Bypass => "bypasses",
            Self::Collapsed => "collapsed",
            Self::Fill => "fills",
            Self::Corrupt => "corrupt",
            Self::Error => "errors",
        }
    }
}

/// How long events gather before they are sent, in ms: under load that makes the counters next to free, and a request
/// stays this much longer, after its answer. The first event after a pause is sent at once.
const GATHER_MS: u64 = 5;

type Pending = BTreeMap<(&'static str, &'static str, Event), i64>;

/// Events of this instance that Redis does not know yet.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    pending: RefCell<Pending>,
    gathering: Rc<Cell<bool>>,
}

/// Lets the next event start a sender, also when this one is cancelled with its request.
struct Gathering(Rc<Cell<bool>>);

impl Drop for Gathering {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl<R: Redis + Connect + 'static, T: Runtime + 'static> Cache<R, T> {
    /// Counts an event in the hash `cache:stats`, field `{module}:{operation}:{event}`.
    pub(crate) fn count(&self, entry: &Entry, event: Event) {
        *self.stats.pending.borrow_mut().entry((entry.module, entry.counted, event)).or_default() += 1;
        if !self.stats.gathering.replace(true)
            && let Some(cache) = self.me.upgrade()
        {
            let gathering = Gathering(Rc::clone(&self.stats.gathering));
            self.runtime.spawn(async move {
                cache.send_stats().await;
                cache.runtime.sleep(GATHER_MS).await;
                drop(gathering);
                cache.send_stats().await;
            });
        }
    }

    /// Sends the events that have gathered, as [`Cache::stats`] and [`Cache::reset_stats`] do: needed only if the counters
    /// are asked for or reset through another cache. What Redis does not take while it is unreachable is kept for the next
    /// time.
    pub async fn send_stats(&self) {
        if self.stats.pending.borrow().is_empty() || self.admit().is_err() {
            return;
        }
        let batch: Pending = self.stats.pending.take();
        join_all(batch.into_iter().map(async |((module, operation, event), times)| {
            let field = [module, ":", operation, ":", event.name()].concat();
            let sent = self.call("HINCRBY", vec![STATS.into(), field.into(), times.into()]).await;
            if let Err(RedisError::Unreachable(_)) = sent {
                *self.stats.pending.borrow_mut().entry((module, operation, event)).or_default() += times;
            }
        }))
        .await;
    }
}
