//! The versions and generations in Redis: reads, starts, keeps and replaces them.
//!
//! # How long they live
//!
//! A version that is lost makes its entries outdated, so it may end at any time without a stale read (see the crate
//! docs). It should not end before its entries, because they would be fetched again, and a value that was set would be
//! lost. And it should not live for ever: reading ids that do not exist would fill Redis.
//!
//! - A version starts with a TTL of `mark_ms`, which is longer than a fetch takes.
//! - Whoever stores an entry makes the TTLs of all its versions longer than that of the entry
//!   ([`Generations::extend_versions`]): `PEXPIRE` with `GT`, so a TTL is never shortened. A set does it before it is
//!   acknowledged.
//! - A hit changes no TTL. `INCR` and the replacement of a generation keep the TTL.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use futures_util::future::{join, join_all};
use ports::{Arg, Client, Connect, RedisError, Reply, Runtime};

use crate::entry::{Entry, Version, Versions};
use crate::settings::Settings;

/// The maximum number of generations in memory. Beyond it all are forgotten.
const KNOWN_MAX: usize = 1_024;

/// How often a version is started again while other programs change its key.
const ATTEMPTS: u32 = 4;

/// The replies for some keys of versions.
pub(crate) type Replies = HashMap<String, Reply>;

/// Versions and generations.
pub(crate) struct Generations<R: Connect, T> {
    client: Rc<Client<R, T>>,
    settings: Settings,
    /// Generations and users' versions as this instance saw them last.
    known: RefCell<HashMap<String, Version>>,
    /// Until when (monotonic time in ms) the versions that entries share live at least, by the digest of these
    /// versions.
    kept: RefCell<HashMap<u64, u64>>,
}

impl<R: Connect, T: Runtime> Generations<R, T> {
    pub(crate) fn new(client: &Rc<Client<R, T>>, settings: Settings) -> Self {
        Self { client: Rc::clone(client), settings, known: RefCell::default(), kept: RefCell::default() }
    }

    /// Starts those versions of an entry that were lost. `replies` are the replies for [`Entry::version_keys`].
    pub(crate) async fn start(&self, entry: &Entry, replies: Vec<Reply>) -> Result<Versions, RedisError> {
        let mut keys = entry.version_keys().into_iter().zip(replies);
        let (own, current) = keys.next().expect("an entry has a version");
        let own = self.start_version(own, current, !entry.is_named()).await?;
        let mut others = Vec::new();
        for (key, current) in keys {
            others.push(self.start_version(key, current, true).await?);
        }
        Ok(Versions::new(own, &others))
    }

    /// The version under `key`: `current` if that is a version, or else a fresh one, or else the one that another
    /// instance has started meanwhile. `overwrite`: what is not a version may be overwritten.
    async fn start_version(&self, key: String, current: Reply, overwrite: bool) -> Result<Version, RedisError> {
        if let Some(version) = Version::from_reply(&current) {
            return Ok(version);
        }
        let fresh = Version::fresh(self.client.runtime());
        let set = |condition: Option<&str>| {
            let args = [Arg::from(key.as_str()), fresh.number().into()];
            let ttl = ["PX".into(), Arg::Int(self.settings.mark_ms as i64)];
            args.into_iter().chain(condition.map(Arg::from)).chain(ttl).collect()
        };
        // MGET and not GET: if the key has another type, MGET replies nil and GET fails.
        let read = async || self.client.call_one("MGET", vec![key.as_str().into()]).await;
        let mut current = current;
        for _ in 0..ATTEMPTS {
            if current != Reply::Nil {
                break;
            }
            if self.client.call_one("SET", set(Some("NX"))).await? != Reply::Nil {
                return Ok(fresh);
            }
            current = read().await?;
            if let Some(version) = Version::from_reply(&current) {
                return Ok(version);
            }
        }
        // The key holds something that is not a version: the INCR of a lost key, or another program's value. A version
        // that many entries depend on may be overwritten: a number that was never used before is always a valid bump.
        if overwrite {
            self.client.call("SET", set(None)).await?;
            return Ok(fresh);
        }
        // The version of a named entry must not be overwritten: another instance may have started it in the meantime,
        // and a value that was set may depend on it.
        for _ in 0..ATTEMPTS {
            let mut started = None;
            let wanted = async || {
                started = Version::from_reply(&read().await?);
                Ok(started.is_none())
            };
            if self.client.set_watched(&key, set(None), wanted).await? {
                return Ok(fresh);
            }
            if let Some(version) = started {
                return Ok(version);
            }
        }
        Err(RedisError::Unreachable(format!("other programs keep changing {key}")))
    }

    /// The versions under keys of [`Entry::other_keys`], from memory if they are known. They may be outdated: see
    /// [`Generations::are_current`]. In the order of their keys, so that a search of interleavings can repeat itself.
    pub(crate) async fn known(
        &self,
        keys: impl Iterator<Item = &String>,
    ) -> Result<BTreeMap<String, Version>, RedisError> {
        let mut known = BTreeMap::new();
        let mut unknown = Vec::new();
        for key in keys {
            match self.known.borrow().get(key) {
                Some(number) => drop(known.insert(key.clone(), *number)),
                None if !unknown.contains(key) => unknown.push(key.clone()),
                None => {}
            }
        }
        if !unknown.is_empty() {
            let replies = self.client.call("MGET", unknown.iter().map(|key| key.as_str().into()).collect()).await?;
            for (key, current) in unknown.into_iter().zip(replies) {
                let number = self.start_version(key.clone(), current, true).await?;
                self.remember(key.clone(), Some(number));
                known.insert(key, number);
            }
        }
        Ok(known)
    }

    /// Whether Redis still has these versions. Remembers the versions that Redis has now.
    pub(crate) async fn are_current(&self, known: &BTreeMap<String, Version>) -> Result<bool, RedisError> {
        let replies = self.client.call("MGET", known.keys().map(|key| key.as_str().into()).collect()).await?;
        let mut are_current = true;
        for ((key, number), reply) in known.iter().zip(replies) {
            let current = Version::from_reply(&reply);
            are_current &= current == Some(*number);
            self.remember(key.clone(), current);
        }
        Ok(are_current)
    }

    fn remember(&self, key: String, number: Option<Version>) {
        let mut known = self.known.borrow_mut();
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        match number {
            Some(number) => drop(known.insert(key, number)),
            None => drop(known.remove(&key)),
        }
    }

    /// Makes the TTLs of an entry's versions longer than `life_ms`, which is how long the entry lives. Send it together
    /// with the command that stores the entry.
    pub(crate) async fn extend_versions(
        &self,
        entry: &Entry,
        versions: Versions,
        life_ms: u64,
    ) -> Result<(), RedisError> {
        let ttl_ms = self.version_ttl_ms(life_ms);
        let own = self.client.call("PEXPIRE", vec![entry.id.version_key().into(), ttl_ms.into(), "GT".into()]);
        let (own, others) = join(own, self.extend_shared_versions(entry, versions, life_ms)).await;
        own.map(drop).and(others)
    }

    /// The same for the versions that the entry shares with others. They get twice the TTL, so that this is seldom
    /// necessary.
    pub(crate) async fn extend_shared_versions(
        &self,
        entry: &Entry,
        versions: Versions,
        life_ms: u64,
    ) -> Result<(), RedisError> {
        let (now_ms, ttl_ms) = (self.client.runtime().monotonic_ms(), self.version_ttl_ms(life_ms));
        let kept_until_ms = self.kept.borrow().get(&versions.others()).copied();
        if kept_until_ms.is_some_and(|until_ms| until_ms >= now_ms + ttl_ms as u64) {
            return Ok(());
        }
        let expire = entry.other_keys().into_iter().map(|key| vec![key.into(), Arg::Int(2 * ttl_ms), "GT".into()]);
        let expired = join_all(expire.map(|args| self.client.call("PEXPIRE", args))).await;
        expired.into_iter().try_for_each(|outcome| outcome.map(drop))?;
        let mut kept = self.kept.borrow_mut();
        if kept.len() >= KNOWN_MAX {
            kept.clear();
        }
        kept.insert(versions.others(), now_ms + 2 * ttl_ms as u64);
        Ok(())
    }

    /// The TTL of a version in ms, for an entry that lives for `life_ms`.
    pub(crate) fn version_ttl_ms(&self, life_ms: u64) -> i64 {
        (life_ms + self.settings.mark_ms) as i64
    }

    /// Replaces a generation (or a user's version) by a fresh one, which makes all its entries outdated. If it does not
    /// exist, there are no such entries. Returns the replies for `keys` from before the change.
    pub(crate) async fn replace_generation(&self, generation: &str, keys: &[String]) -> Result<Replies, RedisError> {
        self.client
            .retry(async || {
                let before = self.read(keys).await?;
                let fresh = Version::fresh(self.client.runtime()).number();
                self.client.call("SET", vec![generation.into(), fresh.into(), "XX".into(), "KEEPTTL".into()]).await?;
                Ok(before)
            })
            .await
    }

    async fn read(&self, keys: &[String]) -> Result<Replies, RedisError> {
        if keys.is_empty() {
            return Ok(Replies::new());
        }
        let replies = self.client.call("MGET", keys.iter().map(|key| key.as_str().into()).collect()).await?;
        Ok(keys.iter().cloned().zip(replies).collect())
    }

    /// The versions of several entries, each given by the keys of its versions; `None`: one of them was lost. Where
    /// `before` has a reply for a key, that one counts.
    pub(crate) async fn versions_of(
        &self,
        entries: &[Vec<String>],
        before: &Replies,
    ) -> Result<Vec<Option<Versions>>, RedisError> {
        let mut keys: Vec<String> =
            entries.iter().flatten().filter(|key| !before.contains_key(*key)).cloned().collect();
        keys.sort_unstable();
        keys.dedup();
        let now = self.read(&keys).await?;
        let reply = |key: &String| before.get(key).or(now.get(key)).cloned().unwrap_or(Reply::Nil);
        let versions = |keys: &Vec<String>| Versions::from_replies(&keys.iter().map(reply).collect::<Vec<_>>());
        Ok(entries.iter().map(versions).collect())
    }
}
