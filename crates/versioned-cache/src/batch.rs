//! Getting many entries at once: one MGET when the hints are right, one fetch for all that miss.

use std::collections::HashMap;

use futures_util::future::join_all;
use redis_port::{Arg, Redis, RedisError, Reply, Runtime};

use crate::Cache;
use crate::basis::Basis;
use crate::cache_status::{Bypass, CacheStatus, Stored};
use crate::entry::{Entry, Place};
use crate::hints::Hint;
use crate::key::{self, Scope};
use crate::lookup::Lookup;
use crate::read::Answer;
use crate::stats::Event;

/// How many commands a batch has in flight at once.
pub(crate) const WIDTH: usize = 64;

/// What the cache has for one entry of a batch.
pub(crate) struct Seen {
    pub basis: Basis,
    pub value: Option<Vec<u8>>,
    /// Monotonic time in ms, 0 if it is not known.
    pub expires_ms: u64,
}

/// The keys of one MGET, each asked for once.
#[derive(Default)]
struct Question {
    keys: Vec<Arg>,
    places: HashMap<String, usize>,
}

impl Question {
    /// Where the reply for `key` will stand.
    fn add(&mut self, key: String) -> usize {
        *self.places.entry(key).or_insert_with_key(|key| {
            self.keys.push(key.as_str().into());
            self.keys.len() - 1
        })
    }
}

impl<R: Redis + 'static, T: Runtime + 'static> Cache<R, T> {
    /// Answers many entries in their order. `fetch` gets the positions that miss and gives their values in that order.
    /// Unlike [`Cache::get_or_set`] it takes no lease: a batch asks the database once whatever it misses.
    ///
    /// # Errors
    /// Those of `fetch`. Redis never fails a read.
    pub async fn get_or_set_many<E>(
        &self,
        entries: &[Entry],
        fetch: impl AsyncFnOnce(&[usize]) -> Result<Vec<Option<Vec<u8>>>, E>,
    ) -> Result<Vec<Answer>, E> {
        let seen = if entries.iter().all(Entry::is_cacheable) {
            self.ask(self.look_up_many(entries)).await
        } else {
            Err(Bypass::Disabled)
        };
        let seen = match seen {
            Ok(seen) => seen,
            Err(reason) => {
                if reason != Bypass::Disabled {
                    entries.iter().for_each(|entry| self.count(entry, Event::Bypass));
                }
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
        let answers = entries.iter().zip(seen).map(|(entry, Seen { basis, value, .. })| {
            let key = entry.key(basis);
            match value {
                Some(value) => {
                    let mut answer = self.hit(key, value, 0);
                    answer.status.ttl_s = None;
                    answer
                }
                None => {
                    let (value, (stored, ttl_ms)) = fetched.next().unwrap_or((None, (Stored::Failed, 0)));
                    self.miss(key, value, stored, ttl_ms)
                }
            }
        });
        Ok(answers.collect())
    }

    /// Looks many entries up: one round trip, two if hints are missing or wrong. Whatever lost its basis gets a new one.
    pub(crate) async fn look_up_many(&self, entries: &[Entry]) -> Result<Vec<Seen>, RedisError> {
        let mut question = Question::default();
        let asked: Vec<_> = entries
            .iter()
            .map(|entry| {
                let version = question.add(entry.version_key());
                let others: Vec<usize> = entry.other_keys().into_iter().map(|key| question.add(key)).collect();
                let hint = self.hints.get(&entry.place);
                let key = match (&entry.place, hint) {
                    (Place::Named { path }, _) => Some(key::named_entry(path)),
                    (Place::Scoped { .. }, Some(hint)) => Some(entry.key(hint.basis)),
                    (Place::Scoped { .. }, None) => None,
                };
                (version, others, hint, key.map(|key| question.add(key)))
            })
            .collect();
        let replies = self.call_large("MGET", question.keys).await?;
        let reply = |at: usize| replies.get(at).cloned().unwrap_or(Reply::Nil);

        let mut seen = Vec::with_capacity(entries.len());
        let mut again = Vec::new();
        for (at, (entry, (version, others, hint, value))) in entries.iter().zip(asked).enumerate() {
            let (version, others) = (reply(version), others.into_iter().map(reply).collect::<Vec<_>>());
            let Some(basis) = Basis::from_replies(&version, &others) else {
                let basis = self.start(entry, version, others).await?;
                seen.push(Seen { basis, value: None, expires_ms: 0 });
                continue;
            };
            let there = value.map(reply);
            let (value, expires_ms) = match (there, hint) {
                (Some(there), _) if entry.is_named() => match self.open(entry, basis, there) {
                    Lookup::Found { value, expires_ms, .. } => (Some(value), expires_ms),
                    Lookup::Missing { .. } => (None, 0),
                },
                (Some(there), Some(hint)) if hint.basis == basis => (there.into_bytes(), 0),
                _ => {
                    again.push(at);
                    (None, 0)
                }
            };
            seen.push(Seen { basis, value, expires_ms });
        }
        if !again.is_empty() {
            let keys = again.iter().map(|&at| entries[at].key(seen[at].basis).into()).collect();
            for (at, value) in again.into_iter().zip(self.call_large("MGET", keys).await?) {
                seen[at].value = value.into_bytes();
                if seen[at].value.is_some() {
                    // When it ends is not known: the next single read asks.
                    self.hints.set(entries[at].place.clone(), Hint { basis: seen[at].basis, expires_ms: 0 });
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
    ) -> Result<Vec<(Option<Vec<u8>>, (Stored, u64))>, E> {
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
                        let ttl_ms = entry.ttl_ms(value.is_some(), self.runtime.random_u64());
                        (self.store(entry, seen[*at].basis, value.as_deref(), ttl_ms).await, ttl_ms)
                    }
                    Ok(false) => (Stored::WriteInFlight, 0),
                    Err(_) => (Stored::Failed, 0),
                }
            });
            let stored = join_all(stores).await;
            filled.extend(chunk.iter_mut().map(|(_, value)| value.take()).zip(stored));
        }
        let stored: Vec<(&Entry, u64)> = missing
            .iter()
            .zip(&filled)
            .filter(|(_, (value, (stored, _)))| value.is_some() && *stored == Stored::Yes)
            .map(|(at, (_, (_, ttl_ms)))| (&entries[*at], *ttl_ms))
            .collect();
        if !stored.is_empty() {
            self.register(&stored).await;
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
                [entry.scope(), entry.absent_guard.as_ref()].into_iter().flatten()
            })
            .map(Scope::writing)
            .collect();
        keys.sort_unstable();
        keys.dedup();
        if keys.is_empty() {
            return Ok(true);
        }
        let marks = self.call_one("EXISTS", keys.into_iter().map(Arg::from).collect()).await?;
        Ok(marks.as_int() == Some(0))
    }
}
