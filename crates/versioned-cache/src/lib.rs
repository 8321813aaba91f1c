//! Versioned cache-aside over Redis that never serves a stale read.
//!
//! ```
//! # use ports::native::{NativeRedis, NativeRuntime};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let server = dev_servers::RedisServer::start(folder.path()).await?;
//! # let (redis, runtime) = (NativeRedis::new(&server.url())?, NativeRuntime::new());
//! # tokio::task::LocalSet::new().run_until(async move {
//! use versioned_cache::{Cache, Entry, Settings, Source, Ttl};
//!
//! let cache = Cache::new(redis, runtime, Settings::default());
//! let rate = |currency| Entry::named("rates", "get", currency, Ttl { found_s: 60, absent_s: 5 });
//!
//! // Cache-aside: on a miss the closure is asked, once for however many requests.
//! let source = async || Ok::<_, std::io::Error>(Some(b"1.0842".to_vec()));
//! let answer = cache.get_or_set(&rate("EUR"), source).await?;
//! println!("{}", answer.status); // fwd=miss; stored; ttl=60; key="cache:entry:rates:get:EUR"
//! assert_eq!(cache.get_or_set(&rate("EUR"), source).await?.status.source, Source::Hit);
//!
//! cache.set(&rate("USD"), b"1.17").await?;
//! cache.mset(&[(rate("SEK"), b"0.09".to_vec()), (rate("NOK"), b"0.08".to_vec())]).await?;
//! let found = cache.mget(&[rate("USD"), rate("GBP")]).await?;
//! assert_eq!(found[0].as_ref().map(|rate| rate.value.as_slice()), Some(&b"1.17"[..]));
//! assert!(found[1].is_none() && cache.exists(&rate("SEK")).await?.is_some());
//!
//! assert!(cache.delete(&rate("USD")).await?);
//! assert_eq!(cache.invalidate_matching("rates", "get", "[NS]*").await?, 2);
//! assert_eq!(cache.invalidate_module("rates").await?, 1);
//! assert_eq!(cache.stats().await?.total().hits, 2);
//! # Ok(()) }).await }
//! ```
//!
//! Rows that are written through SQL are cached by a [`Repository`]: see `components/users`.
//!
//! # Entries
//!
//! Everything cached hangs on numbers in Redis that are never used twice (see [`key`] for the names): a *version* of its
//! own, the *generations* of its module and operation, a user's version if it is the user's. Together they are its
//! *basis*. There are two kinds of entries:
//!
//! - **Scoped** ([`Entry::new`]): answers about a [`Scope`] (one user, the list of users) whose rows are written through
//!   [`Cache::write`]. The basis is part of the key, so that what is stored is the answer, byte for byte.
//! - **Named** ([`Entry::named`], [`Entry::described`]): values that are set, fetched and invalidated one by one. The
//!   basis is part of the value, so that one MGET answers whatever this instance knew before.
//!
//! # Protocol
//!
//! - **hit** ([`Cache::get_or_set`]): one `MGET version generations… entry`. MGET is atomic: if the entry's basis equals
//!   the numbers, it is current at that instant. Of a scoped entry the key must be guessed, from the basis that this
//!   instance saw last; a wrong guess costs one more command.
//! - **fill**, on a miss: the basis has been read; take a lease and count the marks; fetch the value; if there was no
//!   mark, `SET` the entry on that basis.
//! - **write** ([`Cache::write`]): `ZADD` marks; `INCR` versions; the SQL statement; `INCR` versions, `ZREM` marks.
//! - **invalidation** ([`Cache::invalidate_module`] and its like, [`Cache::delete`], [`Cache::set`]): a number gets a new
//!   value or is removed, which comes to the same. The entries are then removed, for the memory's sake.
//!
//! # Why no read is stale
//!
//! Claim: a read that starts after a statement has committed never gets a value from before it, while Redis answers.
//! An entry is only ever read on the basis that was current after the read began. So assume an entry on the current
//! basis *b* that was filled from a row read before the commit of a write *w*. Its filler read *b*, then found no mark,
//! then read the row. *w*'s mark was set before *w*'s first bump and stays until after its commit (or, if *w*'s
//! instance died, longer than any statement lives). The filler found no mark, and read the row before the commit, so it
//! counted before *w* marked. Then it had read *b* before *w*'s first bump, and *b* is not current any more:
//! contradiction. The four known ways to break this, each with a test that fails without its defence:
//!
//! 1. The version key is lost and counting starts again from a number used before. Versions start from the clock plus
//!    random bits ([`version`](crate)), and what `INCR` makes of a lost key is not a version.
//! 2. An old row is stored after the write. It is stored on the basis read before the row.
//! 3. A reader between the first bump and the commit. It finds the mark and stores nothing.
//! 4. The writer dies after the commit. The first bump came before the statement.
//!
//! If the marks themselves are lost mid-write (FLUSHALL, a restart), the second bump outdates what was filled meanwhile.
//!
//! The same for an invalidation *i*: a read that starts after *i* returned never gets a value that was fetched before *i*
//! began. Whoever fetched it had read its basis before, and *i* changed a number of that basis to one that never was.
//! This needs no list of what is cached or being fetched: the registries ([`Cache::entries`]) may lose members.
//!
//! What was set stays: a value that was fetched takes the place of nothing that is current. It is stored where nothing
//! stands, or in a transaction that watches the outdated entry under its key: the argument is in `replace.rs`.
//!
//! # Redis is optional
//!
//! Every command has a deadline; after a failure a breaker keeps reads away from Redis for a moment. Writes always try,
//! and follow [`WritePolicy`] when they fail. What a client asked for by name (get, set, invalidate, stats) is repeated
//! for a moment, then fails.

mod basis;
mod batch;
mod breaker;
mod cache_status;
mod call;
mod counters;
mod direct;
mod entry;
mod envelope;
mod fill;
mod flight;
mod hints;
mod invalidate;
pub mod key;
mod listing;
mod lookup;
mod matching;
mod patience;
mod place;
mod read;
mod registry;
mod replace;
mod repository;
mod settings;
mod stats;
mod version;
mod write;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};

pub use cache_status::{Bypass, CacheStatus, Source, Stored};
pub use counters::{Counters, Stats};
pub use direct::Cached;
pub use entry::{Check, Entry};
pub use key::Scope;
pub use listing::{Listed, Page, Registered, Server};
use ports::{Connect, ConnectionPool, Redis, RedisError, Runtime};
pub use read::ReadResult;
pub use repository::{Kind, Repository};
pub use settings::{Settings, Ttl, WritePolicy};
pub use write::{StatementError, Write, WriteError};

/// The cache of one instance. Its requests share what it has learnt (hints, breaker, fills under way, counters); all of
/// it may be lost at any time, or never be shared, without harm.
pub struct Cache<R: Connect, T> {
    redis: R,
    /// Connections for transactions.
    pool: ConnectionPool<R::Connection>,
    runtime: T,
    settings: Settings,
    breaker: breaker::Breaker,
    hints: hints::Hints,
    flights: flight::Flights,
    stats: stats::Stats,
    /// Generations and versions of users as this instance saw them last.
    numbers: RefCell<HashMap<String, version::Version>>,
    me: Weak<Self>,
}

impl<R: Redis + Connect, T: Runtime> Cache<R, T> {
    /// A cache over `redis`.
    pub fn new(redis: R, runtime: T, settings: Settings) -> Rc<Self> {
        Rc::new_cyclic(|me| Self {
            redis,
            pool: ConnectionPool::default(),
            runtime,
            settings,
            breaker: breaker::Breaker::default(),
            hints: hints::Hints::default(),
            flights: flight::Flights::default(),
            stats: stats::Stats::default(),
            numbers: RefCell::default(),
            me: Weak::clone(me),
        })
    }

    pub(crate) fn log_failure(&self, what: &str, error: &RedisError) {
        eprintln!("cache: {what}: {error}");
    }
}
