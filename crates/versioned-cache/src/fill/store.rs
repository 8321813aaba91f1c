//! Storing a fetched value without ever replacing a newer one.
//!
//! A scoped entry has its versions in its key: a plain SET stores it, and no newer value has that key.
//!
//! The key of a named entry is usually empty: then SET NX stores the value, unless another value was set meanwhile.
//! Otherwise the key may hold an outdated entry, which is replaced by optimistic locking: WATCH the key, read it, and
//! if it is still outdated, MULTI, SET, EXEC.
//!
//! It is enough to watch the entry's key, although the versions decide what is outdated:
//!
//! - **Set** ([`Cache::set`](crate::Cache::set)) writes version and entry with one MSET. If it comes before the read,
//!   the read sees a version that is not the one of the fetch, and nothing is stored. If it comes between the read and
//!   EXEC, the key has changed, and EXEC does nothing. If it comes after EXEC, it overwrites the fetched value. So a
//!   set is never lost.
//! - **Deletion and invalidation** change one of the versions; whether they remove the entry does not matter. If EXEC
//!   stores a value after that, the value has the old versions: no read uses it, and the next fetch finds it outdated.
//!   It does not replace a value that was set, for the reasons above.
//! - **Another fetch**: if two fetches replace the same entry, the second finds that the key has changed. If it had not
//!   begun to watch by then, it finds a current entry, or it has later versions and replaces an outdated entry.
//! - **Eviction or expiry** of the outdated entry: EXEC does nothing, and the value is not stored.
//!
//! An entry that has ended and is kept for grace is replaced like an outdated one. So is an entry that is refreshed
//! before its end ([`Replaced::Fetched`]), but only if its envelope is the one that the hit saw, says that it was
//! fetched, and has the current versions. So a refresh that is late does not replace a newer value. A set changes the
//! version and leaves out the word `fetched`, so a value that was set is never replaced.

use futures_util::future::join;
use ports::{Arg, Connect, RedisError, Reply, Runtime};

use crate::entry::{Entry, Envelope, Timing, Versions, form};
use crate::read::{Hint, Reader, Stored};
use crate::stats::Event;

/// A value that was fetched.
pub(crate) struct Fetched<'a> {
    /// `None`: absent.
    pub value: Option<&'a [u8]>,
    /// How long the fetch took.
    pub took_ms: u64,
    /// Which current entry it may replace.
    pub replaces: Replaced,
}

/// Which entry under the current versions a fetched value replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replaced {
    /// One that has ended.
    Ended,
    /// The one that was fetched and ends at this Unix time in ms: the hit that started the refresh saw it. Another one
    /// may be newer than this value.
    Fetched {
        /// Its end.
        ends_unix_ms: u64,
    },
}

impl<R: Connect, T: Runtime> Reader<R, T> {
    /// Stores a value under the versions that were read before it was fetched. Does not release the lease. Also returns
    /// the TTL in ms.
    pub(crate) async fn store(&self, entry: &Entry, versions: Versions, fetched: Fetched<'_>) -> (Stored, u64) {
        let (runtime, settings) = (self.client.runtime(), &self.settings);
        let ttl_ms = entry.ttl_ms(fetched.value.is_some(), runtime.random_u64());
        let stored = if entry.is_named() {
            self.store_named(entry, versions, fetched, ttl_ms).await
        } else {
            let timing = self.timing(&fetched, ttl_ms);
            let life_ms = settings.life_ms(fetched.value.is_some(), ttl_ms);
            let sealed = form::seal(fetched.value.unwrap_or_default(), timing, settings.compress_min_bytes);
            let set = self.client.call("SET", set_args(entry.key(versions), sealed, life_ms, None));
            let (set, outlived) = join(set, self.generations.extend_versions(entry, versions, life_ms)).await;
            set.and(outlived).map(|()| true)
        };
        let stored = match stored {
            Err(error) => {
                tracing::debug!(%error, "an entry was not stored in the cache");
                self.stats.count(entry, Event::Error);
                Stored::Failed
            }
            Ok(false) => Stored::Overtaken,
            Ok(true) => {
                self.stats.count(entry, Event::Fill);
                if !entry.is_named() {
                    let expires_ms = runtime.monotonic_ms() + ttl_ms;
                    self.hints.set(&entry.id, Hint { versions, expires_ms });
                }
                Stored::Yes
            }
        };
        (stored, ttl_ms)
    }

    /// Stores a value unless there is a current entry that it does not replace, or `versions` are not current. `false`:
    /// it is not stored.
    async fn store_named(
        &self,
        entry: &Entry,
        versions: Versions,
        fetched: Fetched<'_>,
        ttl_ms: u64,
    ) -> Result<bool, RedisError> {
        let (client, settings) = (&self.client, &self.settings);
        let key = entry.key(versions);
        let (value, replaces) = (fetched.value.unwrap_or_default(), fetched.replaces);
        let fetch_ms = self.timing(&fetched, ttl_ms).map(|timing| timing.fetch_ms);
        let ends_unix_ms = client.runtime().unix_ms() + ttl_ms;
        let sealed = Envelope::seal_fetched(versions, ends_unix_ms, fetch_ms, value, settings.compress_min_bytes);
        let life_ms = settings.life_ms(fetched.value.is_some(), ttl_ms);
        let outlive = self.generations.extend_versions(entry, versions, life_ms);
        let is_replaceable = async || self.is_replaceable(entry, versions, replaces).await;
        if matches!(replaces, Replaced::Fetched { .. }) {
            outlive.await?;
        } else {
            let set = client.call_one("SET", set_args(key.clone(), sealed.clone(), life_ms, Some("NX")));
            let (outlived, set) = join(outlive, set).await;
            outlived?;
            if set? != Reply::Nil {
                return Ok(true);
            }
            // Usually another request has stored or set it. This look saves the connection that a transaction needs.
            if !is_replaceable().await? {
                return Ok(false);
            }
        }
        client.set_watched(&key, set_args(key.clone(), sealed, life_ms, None), is_replaceable).await
    }

    /// What an entry says about its end: nothing if it ends with its key.
    fn timing(&self, fetched: &Fetched<'_>, ttl_ms: u64) -> Option<Timing> {
        let fetch_ms = u32::try_from(fetched.took_ms.max(1)).unwrap_or(u32::MAX);
        let ends_unix_ms = self.client.runtime().unix_ms() + ttl_ms;
        (fetched.value.is_some() && self.settings.stores_timing()).then_some(Timing { ends_unix_ms, fetch_ms })
    }

    /// Whether, at this instant, `versions` are current and the key of the named entry does not hold an entry with
    /// them, or one that may be replaced.
    async fn is_replaceable(&self, entry: &Entry, versions: Versions, replaces: Replaced) -> Result<bool, RedisError> {
        let (current, reply) = self.mget(entry, Some(entry.key(versions))).await?;
        let is_replaced = |found: Envelope| match replaces {
            Replaced::Ended => found.timing().is_some_and(|timing| timing.ttl_ms(self.client.runtime().unix_ms()) < 0),
            Replaced::Fetched { ends_unix_ms } => found.fetched && found.ends_unix_ms == ends_unix_ms,
        };
        let found = self.open_current(entry, versions, reply).unwrap_or(None);
        Ok(current == Ok(versions) && found.is_none_or(is_replaced))
    }
}

fn set_args(key: String, value: Vec<u8>, ttl_ms: u64, condition: Option<&str>) -> Vec<Arg> {
    let args = [key.into(), value.into(), "PX".into(), (ttl_ms as i64).into()];
    args.into_iter().chain(condition.map(Arg::from)).collect()
}
