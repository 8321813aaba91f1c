//! Versioned cache-aside over Redis that never serves a stale read.
//!
//! Every scope (one user, the list of users) has a version in Redis; every cached answer is stored under the version it
//! was filled for. A write outdates all entries of a scope by bumping its version. See [`key`] for the names.
//!
//! - **hit** ([`Cache::read`]): one `MGET version entry-under-hint`, where the hint is the version that this instance saw
//!   last. MGET is atomic: if the version equals the hint, the entry is current at that instant. Wrong hint: one more GET.
//! - **fill**, on a miss: the version has been read; take a lease and count the marks; read the row; if there was no
//!   mark, `SET` the entry under that version.
//! - **write** ([`Cache::write`]): `ZADD` marks; `INCR` versions; the SQL statement; `INCR` versions, `ZREM` marks.
//!
//! # Why no read is stale
//!
//! Claim: a read that starts after a statement has committed never gets a value from before it, while Redis answers.
//! An entry is only ever read under the version that was current after the read began. So assume an entry under the
//! current version *v* that was filled from a row read before the commit of a write *w*. Its filler read *v*, then found
//! no mark, then read the row. *w*'s mark was set before *w*'s first bump and stays until after its commit (or, if *w*'s
//! instance died, longer than any statement lives). The filler found no mark, and read the row before the commit, so it
//! counted before *w* marked. Then it had read *v* before *w*'s first bump, and *v* is not current any more:
//! contradiction. The four known ways to break this, each with a test that fails without its defence:
//!
//! 1. The version key is lost and counting starts again from a number used before. Versions start from the clock plus
//!    random bits ([`version`](crate)), and what `INCR` makes of a lost key is not a version.
//! 2. An old row is stored after the write. It is stored under the version read before the row.
//! 3. A reader between the first bump and the commit. It finds the mark and stores nothing.
//! 4. The writer dies after the commit. The first bump came before the statement.
//!
//! If the marks themselves are lost mid-write (FLUSHALL, a restart), the second bump outdates what was filled meanwhile.
//!
//! # Redis is optional
//!
//! Every command has a deadline; after a failure a breaker keeps reads away from Redis for a moment. Writes always try,
//! and follow [`WritePolicy`] when they fail.

mod batch;
mod breaker;
mod cache_status;
mod call;
mod fill;
mod flight;
mod hints;
pub mod key;
mod lookup;
mod read;
mod settings;
mod stats;
mod version;
mod write;

use std::rc::{Rc, Weak};

pub use cache_status::{Bypass, CacheStatus, Source, Stored};
pub use key::{Entry, Scope};
pub use read::Answer;
use redis_port::{Redis, RedisError, Runtime};
pub use settings::{Settings, Ttl, WritePolicy};
pub use write::{StatementError, Write, WriteError};

/// The cache of one instance. Its requests share what it has learnt (hints, breaker, fills under way, counters); all of
/// it may be lost at any time, or never be shared, without harm.
pub struct Cache<R, T> {
    redis: R,
    runtime: T,
    settings: Settings,
    breaker: breaker::Breaker,
    hints: hints::Hints,
    flights: flight::Flights,
    stats: stats::Stats,
    me: Weak<Self>,
}

impl<R: Redis, T: Runtime> Cache<R, T> {
    /// A cache over `redis`.
    pub fn new(redis: R, runtime: T, settings: Settings) -> Rc<Self> {
        Rc::new_cyclic(|me| Self {
            redis,
            runtime,
            settings,
            breaker: breaker::Breaker::default(),
            hints: hints::Hints::default(),
            flights: flight::Flights::default(),
            stats: stats::Stats::default(),
            me: Weak::clone(me),
        })
    }

    pub(crate) fn log_failure(&self, what: &str, error: &RedisError) {
        eprintln!("cache: {what}: {error}");
    }
}
