//! [`Cache`]: its parts, and what it can do. Each method calls the part that does the work.

use std::rc::Rc;

use counters::Recorder;
use ports::{Client, ClientSettings, Connect, RedisError, Runtime};

use crate::entry::Entry;
use crate::entry::Versions;
use crate::fill::{Current, Filler, Refresher, SingleFlight};
use crate::generations::Generations;
use crate::invalidate::listing::{Page, Registered};
use crate::invalidate::{Invalidator, Registry};
use crate::kv::{Cached, KeyValue};
use crate::read::{Found, Hints, Lookup, ReadResult, Reader};
use crate::settings::Settings;
use crate::stats::{Event, Server, Stats, StatsRecorder};
use crate::user::User;
use crate::verify::Verifier;
use crate::write::{StatementError, Write, WriteError, Writer};

/// The cache of one instance, which its requests share. Its memory may be lost at any time, and may differ between
/// instances: correctness never depends on it.
pub struct Cache<R: Connect, T> {
    reader: Rc<Reader<R, T>>,
    filler: Rc<Filler<R, T>>,
    refresher: Rc<Refresher<R, T>>,
    writer: Rc<Writer<R, T>>,
    kv: KeyValue<R, T>,
    invalidator: Rc<Invalidator<R, T>>,
    verifier: Rc<Verifier<R, T>>,
    stats: Rc<StatsRecorder<R, T>>,
}

impl<R: Connect, T: Runtime> Cache<R, T> {
    /// A cache over `redis`. It sends no command yet.
    pub fn new(redis: R, runtime: T, settings: Settings) -> Rc<Self> {
        let client = client(redis, runtime, settings);
        Self::over(Rc::clone(&client), Recorder::new(client), settings)
    }

    /// [`Cache::new`] with the counters of a service that counts other things, too: all are sent together.
    pub fn with_counters(redis: R, runtime: T, settings: Settings, counters: Rc<Recorder<R, T>>) -> Rc<Self> {
        Self::over(client(redis, runtime, settings), counters, settings)
    }

    pub(crate) fn runtime(&self) -> &T {
        self.reader.client.runtime()
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.reader.settings
    }

    /// Counts what happened to a read of this entry.
    pub(crate) fn count(&self, entry: &Entry, event: Event) {
        self.stats.count(entry, event);
    }

    fn over(client: Rc<Client<R, T>>, counters: Rc<Recorder<R, T>>, settings: Settings) -> Rc<Self> {
        let generations = Rc::new(Generations::new(&client, settings));
        let registry = Rc::new(Registry::new(&client));
        let stats = Rc::new(StatsRecorder::new(&client, counters, settings));
        let writer = Rc::new(Writer::new(&client, settings));
        let invalidator = Rc::new(Invalidator {
            client: Rc::clone(&client),
            generations: Rc::clone(&generations),
            registry: Rc::clone(&registry),
        });
        let reader =
            Rc::new(Reader { client, settings, generations, stats: Rc::clone(&stats), hints: Hints::default() });
        let verifier = Rc::new(Verifier::new(&reader, &writer));
        let filler = Rc::new(Filler { reader: Rc::clone(&reader), registry, single_flight: SingleFlight::default() });
        let refresher = Rc::new(Refresher::new(&filler));
        let kv =
            KeyValue { reader: Rc::clone(&reader), invalidator: Rc::clone(&invalidator), writer: Rc::clone(&writer) };
        Rc::new(Self { reader, filler, refresher, writer, kv, invalidator, verifier, stats })
    }

    /// Cache-aside: reads the entry from the cache, or else fetches the value from the source (`None`: absent) and
    /// stores it.
    ///
    /// # Errors
    /// Those of `fetch`.
    pub fn get_or_set<E>(
        &self,
        entry: &Entry,
        fetch: impl AsyncFnOnce() -> Result<Option<Vec<u8>>, E>,
    ) -> impl Future<Output = Result<ReadResult, E>> {
        let on_miss = async |versions, deadline_ms, fetch| self.filler.fill(entry, versions, deadline_ms, fetch).await;
        self.read_through(entry, fetch, |_, _| {}, on_miss)
    }

    /// [`Cache::get_or_set`], and after some of the hits ([`Settings::verify_ratio`]) the value is compared with the
    /// source in the background. After some others, the entry is refreshed before it ends
    /// ([`Settings::refresh_ahead`]). A miss with a value in grace waits no longer than
    /// [`Settings::soft_timeout_ms`]. So `fetch` may run although the value is cached, and may end after the response:
    /// it must own what it uses. Equal rows must give equal bytes: what depends on the time of the fetch must not be
    /// read with this method.
    ///
    /// # Errors
    /// Those of `fetch`.
    pub fn get_or_set_verified<E: 'static>(
        &self,
        entry: &Entry,
        fetch: impl AsyncFnOnce() -> Result<Option<Vec<u8>>, E> + 'static,
    ) -> impl Future<Output = Result<ReadResult, E>> {
        let on_hit = |found: &Found, fetch| {
            if self.refresher.chooses(found) {
                self.refresher.start(entry, found, fetch);
            } else {
                self.verifier.on_hit(entry, found, fetch);
            }
        };
        let on_miss = async |versions, deadline_ms, fetch| {
            let Settings { grace_ms, soft_timeout_ms, .. } = self.reader.settings;
            if grace_ms > 0 && soft_timeout_ms > 0 {
                self.filler.fill_within_soft_timeout(entry, versions, deadline_ms, fetch).await
            } else {
                self.filler.fill(entry, versions, deadline_ms, fetch).await
            }
        };
        self.read_through(entry, fetch, on_hit, on_miss)
    }

    /// `on_hit` gets what was found, and `fetch`, which is not needed then; `on_miss` gets the versions and the time
    /// until which it may wait for other requests. The methods above return this future as it is: it is large, and each
    /// `async fn` around it would copy it.
    async fn read_through<E, F: AsyncFnOnce() -> Result<Option<Vec<u8>>, E>>(
        &self,
        entry: &Entry,
        fetch: F,
        on_hit: impl FnOnce(&Found, F),
        on_miss: impl AsyncFnOnce(Versions, u64, F) -> Result<ReadResult, E>,
    ) -> Result<ReadResult, E> {
        // Until this time, the read waits for the fills of other requests.
        let deadline_ms = self.reader.client.runtime().monotonic_ms() + self.reader.settings.fill_wait_ms;
        match self.reader.read(entry).await {
            Ok(Lookup::Found(found)) => {
                on_hit(&found, fetch);
                Ok(ReadResult::hit(entry.key(found.versions), found.value, Some(found.ttl_ms)))
            }
            Ok(Lookup::Missing { versions }) => match on_miss(versions, deadline_ms, fetch).await {
                Err(error) => self.filler.in_grace(entry).await.ok_or(error),
                result => result,
            },
            Err(reason) => Ok(ReadResult::bypass(reason, fetch().await?)),
        }
    }

    /// [`Cache::get_or_set`] for many entries; the results are in the order of `entries`. `fetch` gets the positions of
    /// those that are missing and returns their values in that order. It takes no lease: a batch asks the source once,
    /// for everything that it misses.
    ///
    /// # Errors
    /// Those of `fetch`.
    pub async fn get_or_set_many<E>(
        &self,
        entries: &[Entry],
        fetch: impl AsyncFnOnce(&[usize]) -> Result<Vec<Option<Vec<u8>>>, E>,
    ) -> Result<Vec<ReadResult>, E> {
        self.filler.get_or_set_many(entries, fetch, |_, _| {}).await
    }

    /// [`Cache::get_or_set_many`], and after some of the batches in which all entries are hits, one of the values is
    /// compared with the source, as with [`Cache::get_or_set_verified`]. Only scoped entries are compared.
    ///
    /// # Errors
    /// Those of `fetch`.
    pub async fn get_or_set_many_verified<E: 'static>(
        &self,
        entries: &[Entry],
        fetch: impl AsyncFnOnce(&[usize]) -> Result<Vec<Option<Vec<u8>>>, E> + 'static,
    ) -> Result<Vec<ReadResult>, E> {
        let on_hits = |found: &[Current], fetch| self.verifier.on_hits(entries, found, fetch);
        self.filler.get_or_set_many(entries, fetch, on_hits).await
    }

    /// Runs `statement`, one SQL statement that changes rows of scopes. No read that starts after this has returned
    /// gets an older value from the cache, even if this instance dies at any point. The statement must end well within
    /// `mark_ms`.
    ///
    /// # Errors
    /// Those of `statement`; [`WriteError::CacheUnavailable`] with the policy
    /// [`WritePolicy::Consistent`](crate::WritePolicy::Consistent).
    pub async fn write<V, E: StatementError>(
        &self,
        write: Write,
        statement: impl AsyncFnOnce() -> Result<V, E>,
    ) -> Result<V, WriteError<E>> {
        self.writer.write(write, statement).await
    }
}

fn client<R: Connect, T: Runtime>(redis: R, runtime: T, settings: Settings) -> Rc<Client<R, T>> {
    let Settings { timeout_ms, breaker_ms: circuit_open_ms, patience_ms, .. } = settings;
    Rc::new(Client::new(redis, Rc::new(runtime), ClientSettings { timeout_ms, circuit_open_ms, patience_ms }))
}

/// Operations that a client requests by name. While Redis is unreachable they are repeated for `patience_ms`.
///
/// # Errors
/// [`RedisError::Unreachable`] after that; [`RedisError::Refused`] if Redis is full.
impl<R: Connect, T: Runtime> Cache<R, T> {
    /// The value of an entry, if it is cached.
    pub async fn get(&self, entry: &Entry) -> Result<Option<Cached>, RedisError> {
        Ok(self.mget(std::slice::from_ref(entry)).await?.pop().flatten())
    }

    /// The values of entries, in their order. It takes one command if the entries are named.
    pub async fn mget(&self, entries: &[Entry]) -> Result<Vec<Option<Cached>>, RedisError> {
        self.kv.mget(entries).await
    }

    /// How long the value of an entry will live, in ms; `None`: it is not cached. This is not counted as a read.
    pub async fn exists(&self, entry: &Entry) -> Result<Option<u64>, RedisError> {
        Ok(self.kv.peek(std::slice::from_ref(entry)).await?.pop().flatten().map(|cached| cached.ttl_ms))
    }

    /// Sets the value of an entry. No fetch that began before this has returned will replace it. For a scoped entry,
    /// all other entries of the scope become outdated. If it fails, the value may or may not be set.
    pub async fn set(&self, entry: &Entry, value: &[u8]) -> Result<(), RedisError> {
        self.mset(&[(entry.clone(), value.to_vec())]).await
    }

    /// [`Cache::set`] for many entries, with one MSET. A second round trip (several for hundreds of entries) sets TTLs.
    /// If it fails, some of the values may be set.
    pub async fn mset(&self, values: &[(Entry, Vec<u8>)]) -> Result<(), RedisError> {
        self.kv.mset(values).await
    }

    /// [`Cache::set`], if `wanted` accepts the current value of the named entry (`None`: there is none). Between this
    /// decision and the change nobody else changes the entry. `false`: it was not wanted, and nothing has changed.
    /// `wanted` is called again if another request was faster.
    ///
    /// # Errors
    /// Redis is unreachable: the value may or may not be set. The change is not tried again, because a second attempt
    /// could find the value of the first.
    ///
    /// # Panics
    /// For a scoped entry.
    pub async fn set_if(
        &self,
        entry: &Entry,
        value: &[u8],
        wanted: impl Fn(Option<&[u8]>) -> bool,
    ) -> Result<bool, RedisError> {
        self.kv.change_if(entry, Some(value), wanted).await
    }

    /// [`Cache::delete`], if `wanted` accepts the current value of the named entry: see [`Cache::set_if`].
    ///
    /// # Errors
    /// As [`Cache::set_if`].
    ///
    /// # Panics
    /// For a scoped entry.
    pub async fn delete_if(&self, entry: &Entry, wanted: impl Fn(Option<&[u8]>) -> bool) -> Result<bool, RedisError> {
        self.kv.change_if(entry, None, wanted).await
    }

    /// Removes an entry. No fetch that began before this has returned will bring it back. `true`: it existed. For a
    /// scoped entry, it removes all entries of the scope. If it fails, the entry may or may not be removed.
    pub async fn delete(&self, entry: &Entry) -> Result<bool, RedisError> {
        self.kv.delete(entry).await
    }

    /// Makes all entries of an operation outdated and removes them; returns how many it removed. The cost depends only
    /// on their number. If this or another invalidation fails, none or some of the entries are outdated.
    pub async fn invalidate_operation(&self, module: &str, operation: &str) -> Result<u64, RedisError> {
        self.invalidator.operation(module, operation).await
    }

    /// Makes all entries of a module outdated and removes them; returns how many it removed. The entries of operations
    /// that are not listed (see [`Cache::registered`]) are only outdated: they end with their TTL.
    pub async fn invalidate_module(&self, module: &str) -> Result<u64, RedisError> {
        self.invalidator.module(module).await
    }

    /// Makes all entries about or for a user outdated, in all modules, and removes them; returns how many it removed.
    /// If the user has a row, the pages of the list of users become outdated, too.
    pub async fn invalidate_user(&self, user: impl Into<User>) -> Result<u64, RedisError> {
        self.invalidator.user(&user.into()).await
    }

    /// Makes the named entries of an operation whose names match a Redis glob outdated and removes them; returns how
    /// many it removed. No pattern can match other keys. It scans all keys of Redis, at most 1,000 at a time.
    pub async fn invalidate_matching(&self, module: &str, operation: &str, pattern: &str) -> Result<u64, RedisError> {
        self.invalidator.matching(module, operation, pattern).await
    }

    /// Makes everything outdated and removes it; returns how many entries it removed. Counters, locks, the versions of
    /// scopes and the keys of other programs stay.
    pub async fn clear(&self) -> Result<u64, RedisError> {
        self.invalidator.all().await
    }

    /// The operations that have entries. Of those whose names are not known when the program is built, about the first
    /// 1,000.
    pub async fn registered(&self) -> Result<Vec<Registered>, RedisError> {
        self.invalidator.registered().await
    }

    /// Up to `limit` entries of a module (`None`: of all modules) and an operation (`None`: of all operations).
    /// `cursor` is [`Page::next`] of the previous page. A page may have fewer entries, even none, although more pages
    /// follow. `Ok(None)`: the cursor is not valid.
    pub async fn entries(
        &self,
        module: Option<&str>,
        operation: Option<&str>,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Option<Page>, RedisError> {
        self.invalidator.entries((module, operation), cursor, limit).await
    }

    /// The counters since the last reset, or since Redis lost them.
    pub async fn stats(&self) -> Result<Stats, RedisError> {
        self.stats.read().await
    }

    /// Sets all counters to zero.
    pub async fn reset_stats(&self) -> Result<(), RedisError> {
        self.stats.reset().await
    }

    /// Sends what this instance has counted. [`Cache::stats`] and [`Cache::reset_stats`] do that, too.
    pub async fn send_stats(&self) {
        self.stats.send().await;
    }

    /// The state of Redis.
    pub async fn server(&self) -> Result<Server, RedisError> {
        self.stats.server().await
    }
}
