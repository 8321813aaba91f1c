//! Reading many entries at once: one MGET when the hints are right, one fetch for all that miss.

use futures_util::future::join_all;
use redis_port::{Arg, Redis, RedisError, Reply, Runtime};

use crate::Cache;
use crate::cache_status::{CacheStatus, Stored};
use crate::hints::Hint;
use crate::key::{Entry, Scope};
use crate::read::Answer;
use crate::stats::Event;
use crate::version::Version;

/// How many commands a batch has in flight at once.
const WIDTH: usize = 64;

/// What the cache has for one entry of a batch.
struct Seen {
    version: Version,
    value: Option<Vec<u8>>,
}

impl<R: Redis + 'static, T: Runtime + 'static> Cache<R, T> {
    /// Answers many entries in their order. `fetch` gets the positions that miss and gives their values in that order.
    /// Unlike [`Cache::read`] it takes no lease: a batch asks the database once whatever it misses.
    ///
    /// # Errors
    /// Those of `fetch`. Redis never fails a read.
    pub async fn read_many<E>(
        &self,
        entries: &[Entry],
        fetch: impl AsyncFnOnce(&[usize]) -> Result<Vec<Option<Vec<u8>>>, E>,
    ) -> Result<Vec<Answer>, E> {
        let seen = match self.ask(self.look_up_many(entries)).await {
            Ok(seen) => seen,
            Err(reason) => {
                let all: Vec<usize> = (0..entries.len()).collect();
                let values = fetch(&all).await?;
                return Ok(values
                    .into_iter()
                    .map(|value| Answer { value, status: CacheStatus::bypass(reason) })
                    .collect());
            }
        };
        let missing: Vec<usize> = (0..entries.len()).filter(|&at| seen[at].value.is_none()).collect();
        for (at, entry) in entries.iter().enumerate() {
            self.count(entry, if seen[at].value.is_some() { Event::Hit } else { Event::Miss });
        }
        let mut fetched = self.fill_many(entries, &seen, &missing, fetch).await?.into_iter();
        let answers = entries.iter().zip(seen).map(|(entry, Seen { version, value })| {
            let key = entry.key(version);
            match value {
                Some(value) => {
                    let mut answer = self.hit(key, value, 0);
                    answer.status.ttl_s = None;
                    answer
                }
                None => {
                    let (value, stored) = fetched.next().unwrap_or((None, Stored::Failed));
                    self.miss(entry, key, value, stored)
                }
            }
        });
        Ok(answers.collect())
    }

    async fn look_up_many(&self, entries: &[Entry]) -> Result<Vec<Seen>, RedisError> {
        let hints: Vec<Option<Hint>> = entries.iter().map(|entry| self.hints.get(&entry.identity())).collect();
        let mut keys: Vec<Arg> = entries.iter().map(|entry| entry.scope.version().into()).collect();
        keys.extend(entries.iter().zip(&hints).filter_map(|(entry, hint)| Some(entry.key((*hint)?.version).into())));
        let mut versions = self.call("MGET", keys).await?;
        let mut hinted = versions.split_off(entries.len().min(versions.len())).into_iter();

        let mut seen = Vec::with_capacity(entries.len());
        let mut again = Vec::new();
        for (at, (entry, current)) in entries.iter().zip(versions).enumerate() {
            let guess = hints[at].map(|hint| (hint.version, hinted.next().unwrap_or(Reply::Nil)));
            match (Version::from_reply(&current), guess) {
                (Some(version), Some((hint, value))) if hint == version => {
                    seen.push(Seen { version, value: value.into_bytes() });
                }
                (Some(version), _) => {
                    again.push(at);
                    seen.push(Seen { version, value: None });
                }
                (None, _) => {
                    seen.push(Seen { version: self.start_version(&entry.scope, current).await?, value: None });
                }
            }
        }
        if !again.is_empty() {
            let keys = again.iter().map(|&at| entries[at].key(seen[at].version).into()).collect();
            for (at, value) in again.into_iter().zip(self.call("MGET", keys).await?) {
                seen[at].value = value.into_bytes();
                if seen[at].value.is_some() {
                    // When it ends is not known: the next single read asks.
                    self.hints.set(entries[at].identity(), Hint { version: seen[at].version, expires_ms: 0 });
                }
            }
        }
        Ok(seen)
    }

    /// Versions were read, now the marks are counted, then the rows are read: the order of a single fill.
    async fn fill_many<E>(
        &self,
        entries: &[Entry],
        seen: &[Seen],
        missing: &[usize],
        fetch: impl AsyncFnOnce(&[usize]) -> Result<Vec<Option<Vec<u8>>>, E>,
    ) -> Result<Vec<(Option<Vec<u8>>, Stored)>, E> {
        if missing.is_empty() {
            return Ok(Vec::new());
        }
        let quiet = self.quiet(entries, missing).await;
        let values = fetch(missing).await?;
        let mut filled = Vec::with_capacity(missing.len());
        for chunk in missing.iter().copied().zip(values).collect::<Vec<_>>().chunks_mut(WIDTH) {
            let stores = chunk.iter().map(|(at, value)| async {
                let entry = &entries[*at];
                match &quiet {
                    Ok(true) => {
                        self.store(entry, seen[*at].version, &entry.key(seen[*at].version), value.as_deref()).await
                    }
                    Ok(false) => Stored::WriteInFlight,
                    Err(_) => Stored::Failed,
                }
            });
            let stored = join_all(stores).await;
            filled.extend(chunk.iter_mut().map(|(_, value)| value.take()).zip(stored));
        }
        Ok(filled)
    }

    /// Whether no write at all is in flight for what is missing: one command for the whole batch. Marks of dead writers
    /// count here until their set ends; a single read looks closer.
    async fn quiet(&self, entries: &[Entry], missing: &[usize]) -> Result<bool, RedisError> {
        let mut keys: Vec<String> = missing
            .iter()
            .flat_map(|&at| {
                let entry = &entries[at];
                [Some(&entry.scope), entry.absent_guard.as_ref()].into_iter().flatten()
            })
            .map(Scope::writing)
            .collect();
        keys.sort_unstable();
        keys.dedup();
        let marks = self.call_one("EXISTS", keys.into_iter().map(Arg::from).collect()).await?;
        Ok(marks.as_int() == Some(0))
    }
}
