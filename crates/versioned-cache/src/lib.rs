//! Versioned cache-aside over Redis. A cache hit takes one Redis round trip and is never stale while Redis is
//! reachable, even across concurrent writes, crashes and evictions.
//!
//! ```
//! # use ports::native::{NativeRedis, NativeRuntime};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let server = dev_servers::RedisServer::start(folder.path()).await?;
//! # let (redis, runtime) = (NativeRedis::new(&server.url())?, NativeRuntime::default());
//! # tokio::task::LocalSet::new().run_until(async move {
//! use versioned_cache::{Cache, Entry, Settings, Source, Ttl};
//!
//! let cache = Cache::new(redis, runtime, Settings::default());
//! let rate = |currency| Entry::named("rates", "get", currency, Ttl { found_s: 60, absent_s: 5 });
//!
//! // Cache-aside: a miss calls the closure, once for all requests that wait for the entry.
//! let source = async || Ok::<_, std::io::Error>(Some(b"1.0842".to_vec()));
//! let result = cache.get_or_set(&rate("EUR"), source).await?;
//! println!("{}", result.status); // fwd=miss; stored; ttl=60; key="cache:entry:rates:get:EUR"
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
//! More in `examples/`. A [`Repository`] caches rows that are written with SQL, and [`Pages`] the list of them: see
//! `components/users`. The terms are
//! explained in `docs/glossary.md`, the keys in Redis in [`key`].
//!
//! # Entries
//!
//! Every entry depends on some integers in Redis, its *versions*: its own *version*, the *generations* of its module
//! and its operation, and a user's version if the entry belongs to a user. A value that was used once is never used
//! again. There are two kinds of entries:
//!
//! - **Scoped** ([`Entry::new`]): responses about a [`Scope`] (one user, the list of users) whose rows are written
//!   through [`Cache::write`]. The versions are part of the key, so the stored value is the response body, byte for
//!   byte. Only if it is compressed, or has grace or refresh-ahead, a header comes first (`entry/form.rs`).
//! - **Named** ([`Entry::named`], [`Entry::described`]): values that are set, fetched and invalidated one by one. The
//!   versions are part of the value, so one MGET is enough even without a hint.
//!
//! # Protocol
//!
//! - **Hit** ([`Cache::get_or_set`]): one `MGET version generations… entry`. MGET is atomic: if the entry was stored
//!   under the versions that are in the same reply, it is current at that instant. The key of a scoped entry is guessed
//!   from a hint, the versions that this instance saw last. A wrong hint costs one more command.
//! - **Fill**, on a miss, in this order: the versions have been read; take a lease and count the marks; fetch the
//!   value; if there was no mark, `SET` the entry under those versions.
//! - **Write** ([`Cache::write`]), in this order: `ZADD` marks; `INCR` versions; the SQL statement; `INCR` versions and
//!   `ZREM` marks.
//! - **Invalidation** ([`Cache::invalidate_module`] and the others, [`Cache::delete`], [`Cache::set`]): one of the
//!   versions gets a new number or is removed, which has the same effect. Then the entries are removed, to free memory.
//!
//! # Why no read is stale
//!
//! Claim: while Redis is reachable, a read that starts after a statement was committed never gets a value from before
//! it.
//!
//! Proof. A read only uses an entry whose versions were current at some instant after the read began. So assume that
//! such an entry has the versions *v*, and that it was filled from a row that was read before the commit of a write
//! *w*.
//!
//! 1. Its filler read *v*, then counted the marks and found none, then read the row.
//! 2. The mark of *w* is set before the first bump of *w*. It stays until after the commit, or longer than any
//!    statement can run if the instance dies.
//! 3. The filler found no mark, and it read the row before the commit. So it counted before *w* set its mark.
//! 4. So it read *v* before the first bump of *w*. Then *v* is not current after that bump: a contradiction.
//!
//! There are four known ways to break this. Each has a test that fails without its defence:
//!
//! 1. A version key is lost, and counting starts again from a number that was used before. Defence: versions start from
//!    the clock plus random bits. `INCR` on a lost key returns 1, which is not accepted as a version.
//! 2. An old row is stored after the write. Defence: it is stored under the versions that were read before the row.
//! 3. A reader fills between the first bump and the commit. Defence: it finds the mark and stores nothing.
//! 4. The writer dies after the commit. Defence: the first bump came before the statement.
//!
//! Redis may lose the marks during a write (FLUSHALL, a restart). Entries that were filled after that become outdated
//! with the second bump.
//!
//! The same holds for an invalidation: a read that starts after it has returned never gets a value that was fetched
//! before it began. The request that fetched the value had read its versions before, and the invalidation changed one
//! of them to a number that was never used. This needs no list of what is cached or being fetched, so the registries
//! ([`Cache::entries`]) may lose members.
//!
//! A fetched value never replaces a value that was set. It is stored only where the key is empty, or in a transaction
//! that watches the key and replaces an entry that is outdated, has ended, or was fetched. The proof is in
//! `fill/store.rs`. `fill/grace.rs` and `fill/refresh.rs` say why values beyond their TTL and refreshes are not stale
//! either.
//!
//! # The ends of versions and entries
//!
//! **Versions end** some time after the last entry that depends on them (`generations.rs`). A version that has ended is
//! a lost version: it never comes back, and its entries are outdated. So the proof covers it, and the explorer loses
//! versions at every point. It also shows that no version ends before its entries, and that none lives for ever.
//!
//! **Grace** ([`Settings::grace_ms`]): an entry stays beyond its end and is returned if the fetch fails or is slow
//! (`fill/grace.rs`). The proof does not use the end of an entry, only its versions, which are read again for this.
//!
//! **Refresh-ahead** ([`Settings::refresh_ahead`]): a hit near the end of an entry fills it again after the response,
//! in the order of a fill (`fill/refresh.rs`). It replaces what was fetched, and never what was set.
//!
//! What is stored says when it ends, how long the fetch took, and whether it is compressed
//! ([`Settings::compress_min_bytes`]): in a header (`entry/form.rs`), or in the first line of a named entry
//! (`entry/envelope.rs`). Without these settings a value is stored byte for byte, and a hit costs nothing more.
//!
//! # Redis is optional
//!
//! Every command has a deadline. After a failure, a circuit breaker keeps reads away from Redis for a short time.
//! Writes always try, and follow [`WritePolicy`] if they fail. What a client requests by name (get, set, invalidate,
//! stats) is repeated for [`Settings::patience_ms`], then fails.
//!
//! # Large values
//!
//! The pages of a list ([`Pages`]) are read on a connection of their own, and the requests of an instance that read one
//! page at the same time share one read of it, whether Redis answers or not. A request only joins a read that starts
//! after it, so the proof covers it (`read/shared.rs`).
//!
//! # The files
//!
//! [`Cache`] (`cache.rs`) lists what a cache can do and calls its parts. `read/` looks entries up. `fill/` handles a
//! miss. `write.rs` runs writes, `kv.rs` gets and sets values, `invalidate/` invalidates and lists. `verify.rs`
//! compares some of the hits with the source, and says why it raises no false alarm. They use
//! `generations.rs` (versions in Redis), `stats.rs` (counters), `entry/` (keys, versions, values) and `ports::Client`
//! (one command with its deadline).

mod cache;
mod entry;
mod fill;
mod generations;
mod invalidate;
pub mod key;
mod kv;
mod pages;
mod read;
mod repository;
mod settings;
mod stats;
mod user;
mod verify;
mod write;

pub use cache::Cache;
pub use entry::{Check, Entry};
pub use invalidate::listing::{Listed, Page, Registered};
pub use key::Scope;
pub use kv::Cached;
pub use pages::Pages;
pub use read::{Bypass, CacheStatus, ReadResult, Source, Stored};
pub use repository::{Kind, Repository};
pub use settings::{Settings, Ttl, WritePolicy};
pub use stats::{Counters, Server, Stats};
pub use user::User;
pub use write::{StatementError, Write, WriteError};
