//! Storing what was fetched without ever taking the place of what is newer.
//!
//! Under a named entry's key there is nothing, as a rule: then SET NX stores the value, which gives way to whatever was
//! set meanwhile. Or there is an entry that is outdated, and the key is replaced by optimistic locking: WATCH it, look,
//! and if it is still outdated, MULTI, SET, EXEC.
//!
//! It is enough to watch the entry's key, although the version and the generations decide what is outdated:
//!
//! - **Set** ([`Cache::set`]) writes version and entry with one MSET. Before the look, the look sees its version, which is
//!   not the one that was fetched on, and nothing is stored. Between the look and EXEC, the key has changed, and EXEC does
//!   nothing. After EXEC, it overwrites what was fetched. So a set is never lost, whichever way it comes.
//! - **Deletion and invalidation** change a number of the basis, and it does not matter whether they touch the entry. What
//!   EXEC stores after them hangs on the basis of before: nobody reads it, and the next fetch finds it outdated. It takes no
//!   set's place there, by the above.
//! - **Another fetch**: of two that replace the same entry, whoever comes second finds that the key has changed. If it had
//!   not begun to watch by then, it finds a current entry there, or is on a later basis and replaces an outdated one.
//! - **Eviction, or the end** of the outdated entry: EXEC does nothing, and the value is not stored.

use futures_util::future::join;
use ports::{Arg, Connect, Redis, RedisError, Reply, Runtime, WatchTransaction};

use crate::Cache;
use crate::basis::Basis;
use crate::entry::Entry;
use crate::envelope::Envelope;
use crate::fill::set;

/// The round trips of a transaction (connecting, WATCH, MULTI, the look, SET, EXEC), each of which may take as long as any
/// command.
const TRIPS: u64 = 6;

impl<R: Redis + Connect + 'static, T: Runtime + 'static> Cache<R, T> {
    /// Stores `value` unless there is a current entry already, or `basis` is not current. `false`: it is not stored.
    pub(crate) async fn store_named(
        &self,
        entry: &Entry,
        basis: Basis,
        value: &[u8],
        ttl_ms: u64,
    ) -> Result<bool, RedisError> {
        // The version must not end before the entry. It is not set again, for it may have been outdated meanwhile; and its
        // life is not cut short, for it may be that of an entry that was set.
        let live = self.call("PEXPIRE", vec![entry.version_key().into(), (ttl_ms as i64).into(), "GT".into()]);
        let key = entry.key(basis);
        let sealed = Envelope::seal(basis, self.runtime.unix_ms() + ttl_ms, value);
        let store = self.call_one("SET", set(key.clone(), sealed.clone(), ttl_ms, Some("NX")));
        let (lives, stored) = join(live, store).await;
        lives?;
        if stored? != Reply::Nil {
            return Ok(true);
        }
        let outdated = async || self.is_outdated(entry, basis).await;
        // Most often somebody else has stored or set it: that needs no connection of one's own.
        Ok(outdated().await? && self.set_watched(&key, outdated, set(key.clone(), sealed, ttl_ms, None)).await?)
    }

    /// Whether `basis` is current at this instant, and what the key of a named entry holds is not the entry on it.
    async fn is_outdated(&self, entry: &Entry, basis: Basis) -> Result<bool, RedisError> {
        let (current, there) = self.ask_for(entry, Some(entry.key(basis))).await?;
        Ok(current.is_ok_and(|current| current == basis) && !matches!(self.opened(entry, basis, there), Ok(Some(_))))
    }
}

impl<R: Redis + Connect, T: Runtime> Cache<R, T> {
    /// Runs SET with these arguments if `look` says so and `key` does not change after that look. `false`: nothing is set.
    pub(crate) async fn set_watched(
        &self,
        key: &str,
        look: impl AsyncFnOnce() -> Result<bool, RedisError>,
        args: Vec<Arg>,
    ) -> Result<bool, RedisError> {
        let timeout_ms = TRIPS * self.time_for(&args);
        let transaction = async {
            let watched = WatchTransaction::begin(&self.redis, &self.pool, key).await?;
            if !look().await? {
                // That is so, whatever becomes of the connection.
                let _ = watched.discard().await;
                return Ok(false);
            }
            watched.queue("SET", args).await?;
            Ok(watched.exec().await?.is_some())
        };
        self.in_time(timeout_ms, transaction).await.unwrap_or_else(|| {
            self.pool.close();
            Err(RedisError::Unreachable(format!("no transaction within {timeout_ms} ms")))
        })
    }
}
