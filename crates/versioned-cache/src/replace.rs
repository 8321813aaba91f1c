//! Storing a named entry that was fetched, without ever taking the place of one that is newer.

use futures_util::future::join;
use redis_port::{Arg, Redis, RedisError, Reply, Runtime};

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

    /// Removes what is under the entry's key if it is an entry of before, or what somebody else put there. `false`: it is
    /// not, or `basis` is outdated itself.
    ///
    /// Between a look and UNLINK somebody may set the entry. So it is moved aside first, which nobody can come between,
    /// and looked at there; what turns out to be current is moved back, unless something newer was set by then. A read in
    /// between misses it.
    async fn make_room(&self, entry: &Entry, basis: Basis) -> Result<bool, RedisError> {
        let key = entry.key(basis);
        if self.look_at(entry, &key).await? != (Some(basis), false) {
            return Ok(false);
        }
        let aside = format!("cache:aside:{:016x}{:016x}", self.runtime.random_u64(), self.runtime.random_u64());
        match self.call("RENAME", vec![key.as_str().into(), aside.as_str().into()]).await {
            // It has ended meanwhile.
            Err(RedisError::Refused(_)) => return Ok(true),
            outcome => outcome?,
        };
        let (set_on, was_set) = self.look_at(entry, &aside).await?;
        if was_set {
            let back = [Arg::from(aside.as_str()), key.as_str().into()];
            let is_back = self.call_one("RENAMENX", back.to_vec()).await? != Reply::Int(0);
            // What has been fetched on the basis of what was set gives way to it; what was set since does not.
            if !is_back && self.look_at(entry, &key).await? == (set_on, true) {
                let _ = self.call("RENAME", back.to_vec()).await;
            }
        }
        self.call("UNLINK", vec![aside.into()]).await?;
        Ok(!was_set)
    }

    /// The basis that is current at this instant (if no number is lost), and whether `key` holds the entry on it.
    async fn look_at(&self, entry: &Entry, key: &str) -> Result<(Option<Basis>, bool), RedisError> {
        let (current, there) = self.ask_for(entry, Some(key.to_owned())).await?;
        let Ok(current) = current else { return Ok((None, false)) };
        Ok((Some(current), matches!(self.opened(entry, current, there), Ok(Some(_)))))
    }
}
