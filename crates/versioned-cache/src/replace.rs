//! Storing a named entry that was fetched, without ever taking the place of one that is newer.

use futures_util::future::join;
use redis_port::{Redis, RedisError, Reply, Runtime};

use crate::Cache;
use crate::basis::Basis;
use crate::entry::Entry;
use crate::envelope::Envelope;
use crate::fill::set;

impl<R: Redis + 'static, T: Runtime + 'static> Cache<R, T> {
    /// Stores `value` unless there is a current entry already; nil: there is.
    pub(crate) async fn store_named(
        &self,
        entry: &Entry,
        basis: Basis,
        value: &[u8],
        ttl_ms: u64,
    ) -> Result<Reply, RedisError> {
        // The version must not end before the entry. It is not set again, for it may have been outdated meanwhile; and its
        // life is not cut short, for it may be that of an entry that was set.
        let live = self.call("PEXPIRE", vec![entry.version_key().into(), (ttl_ms as i64).into(), "GT".into()]);
        // Somebody may have set the entry while its value was fetched: that is newer.
        let sealed = Envelope::seal(basis, self.runtime.unix_ms() + ttl_ms, value);
        let store = || self.call_one("SET", set(entry.key(basis), sealed.clone(), ttl_ms, Some("NX")));
        let (lives, stored) = join(live, store()).await;
        lives?;
        if stored != Ok(Reply::Nil) || !self.make_room(entry, basis).await? {
            return stored;
        }
        store().await
    }

    /// Removes what is under the entry's key if it is not current: an entry of before, or what somebody else put there.
    /// `false`: it is current.
    ///
    /// Between a look and UNLINK somebody may set the entry. So it is moved aside first, which nobody can come between,
    /// and looked at there; what turns out to be current is moved back, unless there is something newer by then.
    async fn make_room(&self, entry: &Entry, basis: Basis) -> Result<bool, RedisError> {
        let key = entry.key(basis);
        if self.is_current(entry, &key).await? {
            return Ok(false);
        }
        let aside = format!("cache:aside:{:016x}{:016x}", self.runtime.random_u64(), self.runtime.random_u64());
        match self.call("RENAME", vec![key.as_str().into(), aside.as_str().into()]).await {
            // It has ended meanwhile.
            Err(RedisError::Refused(_)) => return Ok(true),
            outcome => outcome?,
        };
        if self.is_current(entry, &aside).await? {
            self.call("RENAMENX", vec![aside.as_str().into(), key.into()]).await?;
            // If it could not go back, something newer is there.
            self.call("UNLINK", vec![aside.into()]).await?;
            return Ok(false);
        }
        self.call("UNLINK", vec![aside.into()]).await?;
        Ok(true)
    }

    /// Whether `key` holds this entry on the basis that is current at this instant.
    async fn is_current(&self, entry: &Entry, key: &str) -> Result<bool, RedisError> {
        let (current, there) = self.ask_for(entry, Some(key.to_owned())).await?;
        Ok(match current {
            Ok(current) => matches!(self.opened(entry, current, there), Ok(Some(_))),
            Err(_) => false,
        })
    }
}
