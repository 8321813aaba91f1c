//! The versions and generations in Redis: reads, starts and replaces them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

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
}

impl<R: Connect, T: Runtime> Generations<R, T> {
    pub(crate) fn new(client: &Rc<Client<R, T>>, settings: Settings) -> Self {
        Self { client: Rc::clone(client), settings, known: RefCell::default() }
    }

    /// Starts those versions of an entry that were lost. `replies` are the replies for [`Entry::version_keys`].
    pub(crate) async fn start(&self, entry: &Entry, replies: Vec<Reply>) -> Result<Versions, RedisError> {
        let mut keys = entry.version_keys().into_iter().zip(replies);
        let (own, current) = keys.next().expect("an entry has a version");
        // The version of a named entry lives as long as the entry, once the entry is stored. Until then it lives as
        // long as a fetch may take.
        let ttl_ms = entry.is_named().then_some(self.settings.mark_ms);
        let own = self.start_version(own, current, ttl_ms).await?;
        let mut others = Vec::new();
        for (key, current) in keys {
            others.push(self.start_version(key, current, None).await?);
        }
        Ok(Versions::new(own, &others))
    }

    /// The version under `key`: `current` if that is a version, or else a fresh one, or else the one that another
    /// instance has started meanwhile.
    async fn start_version(&self, key: String, current: Reply, ttl_ms: Option<u64>) -> Result<Version, RedisError> {
        if let Some(version) = Version::from_reply(&current) {
            return Ok(version);
        }
        let fresh = Version::fresh(self.client.runtime());
        let set = |condition: Option<&str>| {
            let ttl = ttl_ms.into_iter().flat_map(|ms| [Arg::from("PX"), Arg::Int(ms as i64)]);
            let args = [Arg::from(key.as_str()), fresh.number().into()];
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
        if ttl_ms.is_none() {
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
    /// [`Generations::are_current`].
    pub(crate) async fn known(
        &self,
        keys: impl Iterator<Item = &String>,
    ) -> Result<HashMap<String, Version>, RedisError> {
        let mut known = HashMap::new();
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
                let number = self.start_version(key.clone(), current, None).await?;
                self.remember(key.clone(), Some(number));
                known.insert(key, number);
            }
        }
        Ok(known)
    }

    /// Whether Redis still has these versions. Remembers the versions that Redis has now.
    pub(crate) async fn are_current(&self, known: &HashMap<String, Version>) -> Result<bool, RedisError> {
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

    /// Replaces a generation (or a user's version) by a fresh one, which makes all its entries outdated. If it does not
    /// exist, there are no such entries. Returns the replies for `keys` from before the change.
    pub(crate) async fn replace_generation(&self, generation: &str, keys: &[String]) -> Result<Replies, RedisError> {
        self.client
            .retry(async || {
                let before = self.read(keys).await?;
                let fresh = Version::fresh(self.client.runtime()).number();
                self.client.call("SET", vec![generation.into(), fresh.into(), "XX".into()]).await?;
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
