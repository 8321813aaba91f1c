//! Entries as clients of a key-value API handle them, one by one and many at once: get, set, delete.

use std::collections::HashMap;
use std::rc::Rc;

use futures_util::future::{join, join_all, join3};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use ports::{Arg, Connect, RedisError, Runtime, Transacted};

use crate::entry::{Entry, EntryId, Envelope, Version, Versions, form};
use crate::invalidate::{Invalidator, Member};
use crate::key;
use crate::read::{BATCH_WIDTH, Reader};
use crate::stats::Event;
use crate::write::Writer;

/// How often values are set again because their generations had changed.
const ATTEMPTS: u32 = 3;
/// How often a conditional change is tried while other requests change the entry. Each time, one of them succeeds.
const CONDITIONAL_ATTEMPTS: u32 = 32;

/// A value that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// The value as it was set or fetched.
    pub value: Vec<u8>,
    /// How long it will live, in ms.
    pub ttl_ms: u64,
    /// Its key in Redis.
    pub key: String,
}

/// Gets, sets and deletes entries.
pub(crate) struct KeyValue<R: Connect, T> {
    pub reader: Rc<Reader<R, T>>,
    pub invalidator: Rc<Invalidator<R, T>>,
    pub writer: Rc<Writer<R, T>>,
}

impl<R: Connect, T: Runtime> KeyValue<R, T> {
    /// Gets values and counts hits and misses.
    pub(crate) async fn mget(&self, entries: &[Entry]) -> Result<Vec<Option<Cached>>, RedisError> {
        let found = self.peek(entries).await?;
        for (entry, cached) in entries.iter().zip(&found) {
            self.reader.stats.count(entry, if cached.is_some() { Event::Hit } else { Event::Miss });
        }
        Ok(found)
    }

    /// Gets values and counts nothing.
    pub(crate) async fn peek(&self, entries: &[Entry]) -> Result<Vec<Option<Cached>>, RedisError> {
        let seen = self.reader.client.retry(async || self.reader.look_up_many(entries).await).await?;
        let found = entries.iter().zip(seen).map(|(entry, seen)| {
            let (value, versions) = (seen.value.filter(|value| !value.is_empty())?, seen.versions.ok()?);
            Some(Cached { value, ttl_ms: seen.ttl_ms, key: entry.key(versions) })
        });
        Ok(found.collect())
    }

    /// Sets values. If this instance had outdated generations in memory, it knows the current ones now and sets the
    /// values again. If they change each time, an invalidation runs at the same time as this call, and it is correct to
    /// order it after the call.
    pub(crate) async fn mset(&self, values: &[(Entry, Vec<u8>)]) -> Result<(), RedisError> {
        self.reader
            .client
            .retry(async || {
                for _ in 0..ATTEMPTS {
                    if self.mset_once(values).await? {
                        break;
                    }
                }
                Ok(())
            })
            .await
    }

    /// `true`: the generations that the values were set with are current.
    async fn mset_once(&self, values: &[(Entry, Vec<u8>)]) -> Result<bool, RedisError> {
        let Reader { client, generations, settings, .. } = &*self.reader;
        let others: Vec<Vec<String>> = values.iter().map(|(entry, _)| entry.other_keys()).collect();
        let known = generations.known(others.iter().flatten()).await?;
        let now_ms = client.runtime().unix_ms();
        let mut pairs: Vec<Arg> = Vec::with_capacity(values.len() * 4);
        let mut ttls = Vec::with_capacity(values.len() * 2);
        // Entries with equal shared versions, and the longest TTL among them.
        let mut shared: HashMap<u64, (&Entry, Versions, u64)> = HashMap::new();
        let mut stored = Vec::with_capacity(values.len());
        for ((entry, value), others) in values.iter().zip(&others) {
            let others: Vec<Version> = others.iter().filter_map(|key| known.get(key).copied()).collect();
            let versions = Versions::new(Version::fresh(client.runtime()), &others);
            let ttl_ms = entry.ttl_ms(true, client.runtime().random_u64());
            let (version_key, key) = (entry.id.version_key(), entry.key(versions));
            // Version and value in one command: if two requests set the same entry, one of them wins with both.
            pairs.extend([version_key.as_str().into(), versions.own.number().into(), key.as_str().into()]);
            if entry.is_named() {
                pairs.push(Envelope::seal_set(versions, now_ms + ttl_ms, value, settings.compress_min_bytes).into());
            } else {
                pairs.push(form::seal(value, None, settings.compress_min_bytes).into());
            }
            ttls.push((version_key, generations.version_ttl_ms(ttl_ms) as u64));
            let longest = shared.entry(versions.others()).or_insert((entry, versions, ttl_ms));
            longest.2 = longest.2.max(ttl_ms);
            ttls.push((key, ttl_ms));
            stored.push((entry, ttl_ms));
        }
        // The generations must not end before the values, so their TTLs are extended before `are_current` checks them.
        let outlived =
            join_all(shared.into_values().map(async |(entry, versions, ttl_ms)| {
                generations.extend_shared_versions(entry, versions, ttl_ms).await
            }));
        let (set, outlived) = join(client.call_large("MSET", pairs), outlived).await;
        set?;
        outlived.into_iter().collect::<Result<(), _>>()?;
        // After the reply, because commands that are sent together may arrive in any order. If this instance dies
        // before, the end in the envelope counts.
        let expire = ttls.iter().flat_map(|(key, ms)| {
            // If two requests set the same entry, the longer TTL counts, whichever command arrives first.
            let args = |only: &str| vec![key.as_str().into(), Arg::Int(*ms as i64), only.into()];
            [client.call("PEXPIRE", args("NX")), client.call("PEXPIRE", args("GT"))]
        });
        let expire = stream::iter(expire).buffered(2 * BATCH_WIDTH).try_for_each(async |_| Ok(()));
        let register = self.invalidator.registry.register(&stored);
        let (expired, (), are_current) = join3(expire, register, generations.are_current(&known)).await;
        expired?;
        are_current
    }

    /// Sets the value of a named entry if `wanted` accepts the current one (`None`: there is none), or removes the
    /// entry if `value` is `None`. `true`: it was done.
    ///
    /// The transaction watches the key of the entry, and then reads the entry and its versions:
    ///
    /// - Everything that gives the entry another value writes to this key: a set, a fill, another conditional change.
    ///   If that comes after the read, EXEC does nothing, and the next attempt reads again.
    /// - A removal or an invalidation that runs at the same time changes a version, and may leave the key as it is.
    ///   Then the value is set under a version that is not current any more, or it is removed after it was set. Nobody
    ///   reads it. This is as if the change had come right after the read, and the removal after that.
    pub(crate) async fn change_if(
        &self,
        entry: &Entry,
        value: Option<&[u8]>,
        wanted: impl Fn(Option<&[u8]>) -> bool,
    ) -> Result<bool, RedisError> {
        let EntryId::Named { path } = &entry.id else { panic!("only named entries can be changed on a condition") };
        let Reader { client, generations, settings, .. } = &*self.reader;
        let (key, version_key) = (key::named_entry(path), entry.id.version_key());
        let timeout_ms = client.timeout_for(&[value.unwrap_or_default().to_vec().into()]);
        let ttl_ms = entry.ttl_ms(true, client.runtime().random_u64());
        for _ in 0..CONDITIONAL_ATTEMPTS {
            let commands = async || {
                let seen = self.reader.look_up_many(std::slice::from_ref(entry)).await?.pop();
                let (current, versions) = seen.map_or((None, Err(vec![])), |seen| (seen.value, seen.versions));
                if !wanted(current.as_deref().filter(|current| !current.is_empty())) {
                    return Ok(None);
                }
                let Some(value) = value else {
                    return Ok(Some(vec![("UNLINK", vec![version_key.as_str().into(), key.as_str().into()])]));
                };
                let versions = match versions {
                    Ok(versions) => versions,
                    Err(replies) => generations.start(entry, replies).await?,
                };
                let versions = versions.with_own(Version::fresh(client.runtime()));
                generations.extend_shared_versions(entry, versions, ttl_ms).await?;
                let ends_unix_ms = client.runtime().unix_ms() + ttl_ms;
                let set = |key: &str, value: Arg, ms: i64| ("SET", vec![key.into(), value, "PX".into(), ms.into()]);
                let sealed = Envelope::seal_set(versions, ends_unix_ms, value, settings.compress_min_bytes);
                let version = set(&version_key, versions.own.number().into(), generations.version_ttl_ms(ttl_ms));
                Ok(Some(vec![version, set(&key, sealed.into(), ttl_ms as i64)]))
            };
            match client.transact(&key, timeout_ms, commands).await? {
                Transacted::Unwanted => return Ok(false),
                Transacted::Changed => {}
                Transacted::Done if value.is_some() => {
                    self.invalidator.registry.register(&[(entry, ttl_ms)]).await;
                    return Ok(true);
                }
                Transacted::Done => {
                    // Best effort: a member without an entry ends with its TTL.
                    let _ = self.invalidator.registry.forget(Member::named(path).iter()).await;
                    return Ok(true);
                }
            }
        }
        Err(RedisError::Unreachable(format!("other requests keep changing {key}")))
    }

    /// Removes an entry; `true`: it existed. For a scoped entry it removes all entries of the scope.
    pub(crate) async fn delete(&self, entry: &Entry) -> Result<bool, RedisError> {
        self.reader
            .client
            .retry(async || match &entry.id {
                EntryId::Named { path } => Ok(self.invalidator.unlink_named(std::slice::from_ref(path)).await? > 0),
                EntryId::Scoped { scope, .. } => {
                    let seen = self.reader.look_up_many(std::slice::from_ref(entry)).await?;
                    self.writer.bump(std::slice::from_ref(scope)).await?;
                    Ok(seen.iter().any(|seen| seen.value.is_some()))
                }
            })
            .await
    }
}
