//! What happened to reads, counted by module and operation.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::ops::AddAssign;
use std::rc::Rc;

use counters::{Counter, Recorder};
use futures_util::future::join;
use ports::{Client, Connect, RedisError, Reply, Runtime};

use crate::entry::Entry;
use crate::key::STATS;
use crate::settings::Settings;

/// The counters of one operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Reads that found an entry.
    pub hits: u64,
    /// Reads that found none.
    pub misses: u64,
    /// Reads that did not use the cache because Redis was unreachable.
    pub bypasses: u64,
    /// Misses that shared the fetch of another request.
    pub collapsed: u64,
    /// Values that were fetched and stored.
    pub fills: u64,
    /// Entries that another program had written, and that were treated as misses.
    pub corrupt: u64,
    /// Values that could not be stored.
    pub errors: u64,
    /// Hits that were compared with the source, and were right.
    pub verified: u64,
    /// Hits that were compared with the source, and were wrong: the entry was stale.
    pub stale: u64,
    /// Misses whose fetch failed or was slow, and that returned an entry which had ended.
    pub graced: u64,
    /// Entries that were refreshed before their end, after a hit.
    pub refreshed: u64,
}

impl AddAssign for Counters {
    fn add_assign(&mut self, mut other: Self) {
        EVENTS.iter().for_each(|(_, _, counter)| *counter(self) += *counter(&mut other));
    }
}

impl Counters {
    /// Hits divided by hits and misses, from 0 to 1; `None` before the first read.
    pub fn hit_ratio(&self) -> Option<f64> {
        let reads = self.hits + self.misses;
        (reads > 0).then(|| self.hits as f64 / reads as f64)
    }
}

/// The counters of all instances and components, by module and operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats(pub BTreeMap<(String, String), Counters>);

impl Stats {
    /// The sum over all operations.
    pub fn total(&self) -> Counters {
        let mut total = Counters::default();
        self.0.values().for_each(|counters| total += *counters);
        total
    }

    /// From the fields of the hash. Fields of other programs are ignored.
    fn from_fields(fields: Vec<(String, u64)>) -> Self {
        let mut stats = Self::default();
        for (field, count) in fields {
            let mut names = field.splitn(3, ':');
            let (Some(module), Some(operation), Some(event)) = (names.next(), names.next(), names.next()) else {
                continue;
            };
            if let Some((_, _, counter)) = EVENTS.iter().find(|(_, name, _)| *name == event) {
                *counter(stats.0.entry((module.to_owned(), operation.to_owned())).or_default()) = count;
            }
        }
        stats
    }
}

/// The state of Redis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// Bytes.
    pub used_memory: u64,
    /// Keys that it evicted since it started, because memory was full.
    pub evicted_keys: u64,
    /// All keys that it has, including those of other programs.
    pub keys: u64,
}

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
    Verified,
    Stale,
    Graced,
    Refreshed,
}

type CounterOf = fn(&mut Counters) -> &mut u64;

/// The events, with their names in Redis and their counters. In the order of [`Event`].
const EVENTS: [(Event, &str, CounterOf); 11] = [
    (Event::Hit, "hits", |counters| &mut counters.hits),
    (Event::Miss, "misses", |counters| &mut counters.misses),
    (Event::Bypass, "bypasses", |counters| &mut counters.bypasses),
    (Event::Collapsed, "collapsed", |counters| &mut counters.collapsed),
    (Event::Fill, "fills", |counters| &mut counters.fills),
    (Event::Corrupt, "corrupt", |counters| &mut counters.corrupt),
    (Event::Error, "errors", |counters| &mut counters.errors),
    (Event::Verified, "verified", |counters| &mut counters.verified),
    (Event::Stale, "stale", |counters| &mut counters.stale),
    (Event::Graced, "graced", |counters| &mut counters.graced),
    (Event::Refreshed, "refreshed", |counters| &mut counters.refreshed),
];

/// Counts the events of this instance.
pub(crate) struct StatsRecorder<R: Connect, T> {
    client: Rc<Client<R, T>>,
    counters: Rc<Recorder<R, T>>,
    settings: Settings,
    operations: RefCell<Operations>,
}

impl<R: Connect, T: Runtime> StatsRecorder<R, T> {
    pub(crate) fn new(client: &Rc<Client<R, T>>, counters: Rc<Recorder<R, T>>, settings: Settings) -> Self {
        Self { client: Rc::clone(client), counters, settings, operations: RefCell::default() }
    }

    /// Counts an event of an entry, unless the cache is disabled or the entry is not counted.
    pub(crate) fn count(&self, entry: &Entry, event: Event) {
        let Some(operation) = entry.counted.as_ref().filter(|_| self.settings.enabled) else { return };
        let event = EVENTS[event as usize].1;
        let counter = match (&entry.module, operation) {
            (Cow::Borrowed(module), Cow::Borrowed(operation)) => Counter::new(STATS, [*module, *operation, event]),
            (module, operation) => {
                let (module, operation) = self.operations.borrow_mut().names(module, operation);
                Counter::new(STATS, [module, operation, event]).unless_full([OTHERS.0, OTHERS.1, event])
            }
        };
        self.counters.count(counter, 1);
    }

    pub(crate) async fn send(&self) {
        self.counters.send().await;
    }

    pub(crate) async fn read(&self) -> Result<Stats, RedisError> {
        Ok(Stats::from_fields(self.counters.read(STATS).await?))
    }

    pub(crate) async fn reset(&self) -> Result<(), RedisError> {
        self.counters.reset(STATS).await
    }

    /// INFO and DBSIZE.
    pub(crate) async fn server(&self) -> Result<Server, RedisError> {
        let read = async || {
            let info = |section: &str| self.client.call_one("INFO", vec![section.into()]);
            let ((memory, stats), keys) =
                join(join(info("memory"), info("stats")), self.client.call_one("DBSIZE", Vec::new())).await;
            let number = |info: Reply, name: &str| {
                let bytes = info.into_bytes().unwrap_or_default();
                let text = String::from_utf8_lossy(&bytes).into_owned();
                text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.trim().parse().ok())
            };
            Ok(Server {
                used_memory: number(memory?, "used_memory").unwrap_or(0),
                evicted_keys: number(stats?, "evicted_keys").unwrap_or(0),
                keys: keys?.as_int().and_then(|keys| u64::try_from(keys).ok()).unwrap_or(0),
            })
        };
        self.client.retry(read).await
    }
}

/// How many operations one instance counts whose names clients have chosen. Each adds fields to a hash in Redis, which
/// stay there for ever. New instances add none once the hash is full ([`Counter::unless_full`]), so all instances
/// together are bounded, too.
const OPERATIONS_MAX: usize = 200;
/// All further operations are counted under this module and operation.
const OTHERS: (&str, &str) = ("other", "other");

/// The operations that clients have named. A counter needs names that live as long as the program, so these are never
/// freed.
#[derive(Default)]
struct Operations(HashMap<String, (&'static str, &'static str)>);

impl Operations {
    fn names(&mut self, module: &str, operation: &str) -> (&'static str, &'static str) {
        let id = [module, ":", operation].concat();
        if self.0.len() >= OPERATIONS_MAX {
            return self.0.get(&id).copied().unwrap_or(OTHERS);
        }
        let leak = |name: &str| &*Box::leak(Box::from(name));
        *self.0.entry(id).or_insert_with(|| (leak(module), leak(operation)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operations_of_clients_are_counted_up_to_a_limit() {
        let mut operations = Operations::default();
        for number in 0..OPERATIONS_MAX {
            let (module, operation) = (format!("m{}", number % 7), format!("o{number}"));
            assert_eq!(operations.names(&module, &operation), (&*module, &*operation));
        }
        assert_eq!(operations.names("m1", "o0"), OTHERS);
        assert_eq!(operations.names("m0", "o0"), ("m0", "o0"));
    }

    #[test]
    fn events_are_in_order() {
        assert!(EVENTS.iter().enumerate().all(|(at, (event, ..))| *event as usize == at));
    }

    #[test]
    fn fields_are_grouped_by_operation() {
        let fields =
            [("users:list:hits", 3), ("users:list:misses", 1), ("users:get:hits", 4), ("odd", 5), ("a:b:c", 6)];
        let stats = Stats::from_fields(fields.map(|(field, count)| (field.to_owned(), count)).into());
        assert_eq!(stats.0.len(), 2);
        let list = stats.0[&("users".to_owned(), "list".to_owned())];
        assert_eq!((list.hits, list.misses, list.hit_ratio()), (3, 1, Some(0.75)));
        assert_eq!((stats.total().hits, stats.total().misses), (7, 1));
        assert_eq!(Counters::default().hit_ratio(), None);
    }
}
