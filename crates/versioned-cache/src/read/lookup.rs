//! Looking one entry up: one round trip if the entry is named or the hint is right, two otherwise.

use std::rc::Rc;

use futures_util::future::join;
use ports::{Client, Connect, RedisError, Reply, Runtime};

use super::hints::{Hint, Hints};
use super::status::Bypass;
use crate::entry::{Entry, EntryId, Envelope, Opened, Versions, form};
use crate::generations::Generations;
use crate::key;
use crate::settings::Settings;
use crate::stats::{Event, StatsRecorder};

/// The result of a lookup. It was true at one instant after the lookup began.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// There is an entry under the current versions.
    Found(Found),
    /// There is no entry under the current versions.
    Missing { versions: Versions },
}

/// A current entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub versions: Versions,
    /// Empty: absent.
    pub value: Vec<u8>,
    /// For how many ms it still lives; below 0: it ended that long ago, and is kept for grace.
    pub ttl_ms: i64,
    /// The value comes from the source. A named entry may have been set by a client instead.
    pub fetched: bool,
    /// How long the fetch took in ms, if that is stored.
    pub fetch_ms: Option<u32>,
    /// When it ends, in Unix ms, if that is stored.
    pub ends_unix_ms: Option<u64>,
}

impl Found {
    /// Whether the entry is kept only for grace.
    pub(crate) fn has_ended(&self) -> bool {
        self.ttl_ms < 0
    }
}

impl Lookup {
    /// An entry that has ended counts as missing.
    pub(crate) fn unless_ended(self) -> Self {
        match self {
            Self::Found(found) if found.has_ended() => Self::Missing { versions: found.versions },
            lookup => lookup,
        }
    }
}

/// The entry holds a value that this program cannot have stored.
pub(crate) struct Corrupt;

/// Reads entries.
pub(crate) struct Reader<R: Connect, T> {
    pub client: Rc<Client<R, T>>,
    pub settings: Settings,
    pub generations: Rc<Generations<R, T>>,
    pub stats: Rc<StatsRecorder<R, T>>,
    pub hints: Hints,
}

impl<R: Connect, T: Runtime> Reader<R, T> {
    /// Looks an entry up and counts the hit, the miss or the bypass.
    pub(crate) async fn read(&self, entry: &Entry) -> Result<Lookup, Bypass> {
        if !entry.is_cacheable() {
            return Err(Bypass::Disabled);
        }
        let outcome = self.unless_bypassed(self.look_up(entry)).await.map(Lookup::unless_ended);
        match &outcome {
            Ok(Lookup::Found(_)) => self.stats.count(entry, Event::Hit),
            Ok(Lookup::Missing { .. }) => self.stats.count(entry, Event::Miss),
            Err(Bypass::Disabled) => {}
            Err(_) => self.stats.count(entry, Event::Bypass),
        }
        outcome
    }

    /// Runs a lookup if the cache is enabled and the circuit breaker allows it.
    pub(crate) async fn unless_bypassed<V>(
        &self,
        lookup: impl Future<Output = Result<V, RedisError>>,
    ) -> Result<V, Bypass> {
        if !self.settings.enabled {
            return Err(Bypass::Disabled);
        }
        if !self.client.admits() {
            return Err(Bypass::BreakerOpen);
        }
        lookup.await.map_err(|error| {
            tracing::debug!(%error, "a read did not use the cache");
            Bypass::Unreachable
        })
    }

    /// Looks an entry up, which may have ended. Versions that were lost are started again.
    pub(crate) async fn look_up(&self, entry: &Entry) -> Result<Lookup, RedisError> {
        // The key of a named entry is known. The key of a scoped entry contains its versions, which the hint guesses.
        let (hint, key) = match &entry.id {
            EntryId::Named { path } => (None, Some(key::named_entry(path))),
            EntryId::Scoped { .. } => {
                let hint = self.hints.get(&entry.id);
                (hint, hint.map(|hint| entry.key(hint.versions)))
            }
        };
        let (versions, reply) = self.mget(entry, key).await?;
        let versions = match versions {
            Ok(versions) => versions,
            Err(replies) => return Ok(Lookup::Missing { versions: self.generations.start(entry, replies).await? }),
        };
        if entry.is_named() {
            return Ok(self.open(entry, versions, reply));
        }
        match hint.filter(|hint| hint.versions == versions) {
            Some(hint) => self.look_up_guessed(entry, hint, reply).await,
            None => self.look_up_again(entry, versions).await,
        }
    }

    /// The hint was right: `reply` is the entry under the current versions.
    async fn look_up_guessed(&self, entry: &Entry, hint: Hint, reply: Reply) -> Result<Lookup, RedisError> {
        let versions = hint.versions;
        let Some(Opened { value, timing }) = self.open_scoped(entry, reply) else {
            return Ok(Lookup::Missing { versions });
        };
        let ttl_ms = hint.expires_ms.saturating_sub(self.client.runtime().monotonic_ms()) as i64;
        if timing.is_none() && ttl_ms > 0 {
            let found = Found { versions, value, ttl_ms, fetched: true, fetch_ms: None, ends_unix_ms: None };
            return Ok(Lookup::Found(found));
        }
        // The entry lives longer than the hint says: another instance filled it again under the same versions.
        let left = match timing {
            Some(_) => Reply::Nil,
            None => self.client.call_one("PTTL", vec![entry.key(versions).into()]).await?,
        };
        Ok(self.found(entry, versions, Opened { value, timing }, &left))
    }

    /// There was no hint, or it was wrong: reads the entry under the versions that are known now. A write may end
    /// between the two commands. The value is then older than that write, but the write was not acknowledged before
    /// this read began.
    async fn look_up_again(&self, entry: &Entry, versions: Versions) -> Result<Lookup, RedisError> {
        let key = entry.key(versions);
        // MGET and not GET: if the key has another type, MGET replies nil and GET fails.
        let value = self.client.send_one("MGET", vec![key.as_str().into()]);
        let left = self.client.send_one("PTTL", vec![key.as_str().into()]);
        // One deadline for both, because each deadline costs a timer of the host.
        let both = async {
            let (value, left) = join(value, left).await;
            Ok((value?, left))
        };
        let (value, left) = self.client.within_timeout(both).await?;
        match self.open_scoped(entry, value) {
            Some(opened) => Ok(self.found(entry, versions, opened, &left?)),
            None => Ok(Lookup::Missing { versions }),
        }
    }

    /// `pttl` is the reply that says how long the key lives. It counts unless the entry itself says when it ends.
    fn found(&self, entry: &Entry, versions: Versions, opened: Opened, pttl: &Reply) -> Lookup {
        let Opened { value, timing } = opened;
        let runtime = self.client.runtime();
        let ttl_ms = match timing {
            Some(timing) => timing.ttl_ms(runtime.unix_ms()),
            None => pttl.as_int().unwrap_or(0).max(0),
        };
        self.hints.set(&entry.id, Hint { versions, expires_ms: runtime.monotonic_ms() + ttl_ms.max(0) as u64 });
        let (fetch_ms, ends_unix_ms) = timing.map(|timing| (timing.fetch_ms, timing.ends_unix_ms)).unzip();
        Lookup::Found(Found { versions, value, ttl_ms, fetched: true, fetch_ms, ends_unix_ms })
    }

    /// Opens the value under the key of a scoped entry, which may have ended. Counts corrupt values.
    pub(crate) fn open_scoped(&self, entry: &Entry, reply: Reply) -> Option<Opened> {
        let opened = form::open(reply.into_bytes()?);
        if opened.is_none() {
            self.stats.count(entry, Event::Corrupt);
        }
        opened
    }

    /// The value of a scoped entry in such a reply, unless it has ended.
    pub(crate) fn open_fresh(&self, entry: &Entry, reply: Reply) -> Option<Vec<u8>> {
        let Opened { value, timing } = self.open_scoped(entry, reply)?;
        timing.is_none_or(|timing| timing.ttl_ms(self.client.runtime().unix_ms()) > 0).then_some(value)
    }

    /// Reads the versions of an entry and the key of its value, if that is known, with one MGET, which is atomic.
    /// If a version was lost, the result has the replies instead of the versions.
    pub(crate) async fn mget(
        &self,
        entry: &Entry,
        key: Option<String>,
    ) -> Result<(Result<Versions, Vec<Reply>>, Reply), RedisError> {
        let versions = entry.version_keys();
        let count = versions.len();
        let keys = versions.into_iter().chain(key).map(Into::into).collect();
        let mut replies = self.client.call("MGET", keys).await?;
        replies.resize(count + 1, Reply::Nil);
        let value = replies.pop().unwrap_or(Reply::Nil);
        Ok((Versions::from_replies(&replies).ok_or(replies), value))
    }

    /// Opens the value under the key of a named entry: found if it has the current versions. It may have ended. Counts
    /// corrupt values.
    pub(crate) fn open(&self, entry: &Entry, versions: Versions, reply: Reply) -> Lookup {
        match self.open_current(entry, versions, reply) {
            Ok(Some(found)) => {
                let now_ms = self.client.runtime().unix_ms();
                let ttl_ms = match found.timing() {
                    Some(timing) => timing.ttl_ms(now_ms),
                    None => found.ends_unix_ms.saturating_sub(now_ms) as i64,
                };
                let Envelope { value, fetched, fetch_ms, ends_unix_ms, .. } = found;
                Lookup::Found(Found { versions, value, ttl_ms, fetched, fetch_ms, ends_unix_ms: Some(ends_unix_ms) })
            }
            Ok(None) => Lookup::Missing { versions },
            Err(Corrupt) => {
                self.stats.count(entry, Event::Corrupt);
                Lookup::Missing { versions }
            }
        }
    }

    /// The envelope under the key of a named entry, if it has these versions. It may have ended.
    pub(crate) fn open_current(
        &self,
        entry: &Entry,
        versions: Versions,
        reply: Reply,
    ) -> Result<Option<Envelope>, Corrupt> {
        let Some(bytes) = reply.into_bytes() else { return Ok(None) };
        let found = Envelope::open(bytes).ok_or(Corrupt)?;
        // An instance that set the entry may have died before it set the TTL. Then only the envelope has the end.
        let has_ended =
            found.fetch_ms.is_none() && found.ends_unix_ms + self.settings.mark_ms < self.client.runtime().unix_ms();
        if found.versions != versions || has_ended {
            return Ok(None);
        }
        let is_valid = found.value.is_empty() || entry.check.is_none_or(|check| check(&found.value));
        if is_valid { Ok(Some(found)) } else { Err(Corrupt) }
    }
}
