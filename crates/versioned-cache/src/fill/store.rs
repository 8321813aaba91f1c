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

use futures_util::future::join;
use ports::{Arg, Connect, RedisError, Reply, Runtime};

use crate::entry::{Entry, Envelope, Versions};
use crate::read::{Hint, Reader, Stored};
use crate::stats::Event;

impl<R: Connect, T: Runtime> Reader<R, T> {
    /// Stores a value (`None`: absent) under the versions that were read before it was fetched. Does not release the
    /// lease. Also returns the TTL in ms.
    pub(crate) async fn store(&self, entry: &Entry, versions: Versions, value: Option<&[u8]>) -> (Stored, u64) {
        let ttl_ms = entry.ttl_ms(value.is_some(), self.client.runtime().random_u64());
        let value = value.unwrap_or_default();
        let stored = if entry.is_named() {
            self.store_named(entry, versions, value, ttl_ms).await
        } else {
            let set = set_args(entry.key(versions), value.to_vec(), ttl_ms, None);
            let set = self.client.call("SET", set);
            let (set, outlived) = join(set, self.generations.outlive(entry, versions, ttl_ms)).await;
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
                    let expires_ms = self.client.runtime().monotonic_ms() + ttl_ms;
                    self.hints.set(&entry.id, Hint { versions, expires_ms });
                }
                Stored::Yes
            }
        };
        (stored, ttl_ms)
    }

    /// Stores `value` unless there is a current entry already, or `versions` are not current. `false`: it is not
    /// stored.
    async fn store_named(
        &self,
        entry: &Entry,
        versions: Versions,
        value: &[u8],
        ttl_ms: u64,
    ) -> Result<bool, RedisError> {
        let client = &self.client;
        let key = entry.key(versions);
        let sealed = Envelope::seal_fetched(versions, client.runtime().unix_ms() + ttl_ms, value);
        let set = client.call_one("SET", set_args(key.clone(), sealed.clone(), ttl_ms, Some("NX")));
        let (outlived, set) = join(self.generations.outlive(entry, versions, ttl_ms), set).await;
        outlived?;
        if set? != Reply::Nil {
            return Ok(true);
        }
        let is_outdated = async || self.is_outdated(entry, versions).await;
        // Usually another request has stored or set it. This look saves the connection that a transaction needs.
        Ok(is_outdated().await?
            && client.set_watched(&key, set_args(key.clone(), sealed, ttl_ms, None), is_outdated).await?)
    }

    /// Whether, at this instant, `versions` are current and the key of the named entry does not hold an entry with
    /// them.
    async fn is_outdated(&self, entry: &Entry, versions: Versions) -> Result<bool, RedisError> {
        let (current, reply) = self.mget(entry, Some(entry.key(versions))).await?;
        Ok(current == Ok(versions) && !matches!(self.open_current(entry, versions, reply), Ok(Some(_))))
    }
}

fn set_args(key: String, value: Vec<u8>, ttl_ms: u64, condition: Option<&str>) -> Vec<Arg> {
    let args = [key.into(), value.into(), "PX".into(), (ttl_ms as i64).into()];
    args.into_iter().chain(condition.map(Arg::from)).collect()
}
