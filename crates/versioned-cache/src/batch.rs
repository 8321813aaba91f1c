//! Getting many entries at once: one MGET when the hints are right, one fetch for all that miss.

use std::collections::{HashMap, HashSet};

use futures_util::future::join_all;
use ports::{Arg, Connect, Redis, RedisError, Reply, Runtime};

use crate::Cache;
use crate::basis::Basis;
use crate::cache_status::{Bypass, CacheStatus, Stored};
use crate::entry::Entry;
use crate::hints::Hint;
use crate::key::{self, Scope};
use crate::lookup::Lookup;
use crate::place::Place;
use crate::read::ReadResult;
use crate::stats::Event;

/// How many commands a batch has in flight at once.
pub(crate) const WIDTH: usize = 64;

/// What the cache has for one entry of a batch.
pub(crate) struct Seen {
    /// What it hangs on, or the replies of which some are no numbers.
    pub basis: Result<Basis, (Reply, Vec<Reply>)>,
    pub value: Option<Vec<u8>>,
    /// Monotonic time in ms, 0 if it is not known.
    pub expires_ms: u64,
}

/// The keys of one MGET, each asked for once.
#[derive(Default)]
struct Question {
    keys: Vec<Arg>,
    places: HashMap<String, usize>,
    /// How often each is asked for.
    uses: Vec<u32>,
}

impl Question {
    /// Where the reply for `key` will stand.
    fn add(&mut self, key: String) -> usize {
        let place = *self.places.entry(key).or_insert_with_key(|key| {
            self.keys.push(key.as_str().into());
            self.uses.push(0);
            self.keys.len() - 1
        });
        self.uses[place] += 1;
        place
    }
}

impl<R: Redis + Connect + 'static, T: Runtime + 'static> Cache<R, T> {
    /// Answers many entries in their order. `fetch` gets the positions that miss and gives their values in that order.
    /// Unlike [`Cache::get_or_set`] it takes no lease: a batch asks the database once whatever it misses.
    ///
    /// # Errors
    /// Those of `fetch`. Redis never fails a read.
    pub async fn get_or_set_many<E>(
        &self,
        entries: &[Entry],
        fetch: impl AsyncFnOnce(&[usize]) -> Result<Vec<Option<Vec<u8>>>, E>,
    ) -> Result<Vec<ReadResult>, E> {
        let seen = if entries.iter().all(Entry::is_cacheable) {
            self.ask(self.look_up_many(entries)).await
        } else {
            Err(Bypass::Disabled)
        };
        let started = match seen {
            Ok(seen) => self.ask(self.start_many(entries, seen)).await,
            Err(reason) => Err(reason),
        };
        let seen = match started {
            Ok(seen) => seen,
            Err(reason) => {
                if reason != Bypass::Disabled {
                    entries.iter().for_each(|entry| self.count(entry, Event::Bypass));
                }
                let all: Vec<usize> = (0..entries.len()).collect();
                let values = fetch(&all).await?;
                return Ok(values
                    .into_iter()
                    .map(|value| ReadResult { value, status: CacheStatus::bypass(reason) })
                    .collect());
            }
        };
        let missing: Vec<usize> = (0..entries.len()).filter(|&at| seen[at].1.is_none()).collect();
        for (at, entry) in entries.iter().enumerate() {
            self.count(entry, if seen[at].1.is_some() { Event::Hit } else { Event::Miss });
        }
        let mut fetched = self.fill_many(entries, &seen, &missing, fetch).await?.into_iter();
        let answers = entries.iter().zip(seen).map(|(entry, (basis, value))| {
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

    /// Gives new numbers to whatever lost its basis.
    async fn start_many(
        &self,
        entries: &[Entry],
        seen: Vec<Seen>,
    ) -> Result<Vec<(Basis, Option<Vec<u8>>)>, RedisError> {
        // What many hang on, once; the rest then has a version to be started at most.
        let lost: Vec<String> = entries
            .iter()
            .zip(&seen)
            .filter(|(_, seen)| matches!(&seen.basis, Err((_, others)) if others.contains(&Reply::Nil)))
            .flat_map(|(entry, _)| entry.other_keys())
            .collect();
        self.known_numbers(lost.iter()).await?;
        let mut started = Vec::with_capacity(seen.len());
        let mut seen = entries.iter().zip(seen);
        loop {
            let some: Vec<_> = seen.by_ref().take(WIDTH).collect();
            if some.is_empty() {
                return Ok(started);
            }
            let bases = join_all(some.into_iter().map(async |(entry, Seen { basis, value, .. })| match basis {
                Ok(basis) => Ok((basis, value)),
                Err((version, others)) => Ok((self.start(entry, version, others).await?, None)),
            }));
            for basis in bases.await {
                started.push(basis?);
            }
        }
    }

    /// Looks many entries up: one round trip, two if hints are missing or wrong. It changes nothing.
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
        let mut replies = self.call_large("MGET", question.keys).await?;
        replies.resize(question.uses.len(), Reply::Nil);
        // Values may be large, and are moved to whoever is the only one to ask for them.
        let mut reply = |at: usize| {
            if question.uses[at] == 1 { std::mem::replace(&mut replies[at], Reply::Nil) } else { replies[at].clone() }
        };

        let mut seen = Vec::with_capacity(entries.len());
        let mut again = Vec::new();
        for (at, (entry, (version, others, hint, value))) in entries.iter().zip(asked).enumerate() {
            let (version, others) = (reply(version), others.into_iter().map(&mut reply).collect::<Vec<_>>());
            let there = value.map(&mut reply);
            let Some(basis) = Basis::from_replies(&version, &others) else {
                seen.push(Seen { basis: Err((version, others)), value: None, expires_ms: 0 });
                continue;
            };
            let (value, expires_ms) = match (there, hint) {
                (Some(there), _) if entry.is_named() => match self.open(entry, basis, there) {
                    Lookup::Found { value, expires_ms, .. } => (Some(value), expires_ms),
                    Lookup::Missing { .. } => (None, 0),
                },
                (Some(there), Some(hint)) if hint.basis == basis => (there.into_bytes(), 0),
                _ => {
                    again.push((at, basis));
                    (None, 0)
                }
            };
            seen.push(Seen { basis: Ok(basis), value, expires_ms });
        }
        if !again.is_empty() {
            let keys = again.iter().map(|(at, basis)| entries[*at].key(*basis).into()).collect();
            for ((at, basis), value) in again.into_iter().zip(self.call_large("MGET", keys).await?) {
                seen[at].value = value.into_bytes();
                if seen[at].value.is_some() {
                    // When it ends is not known: the next single read asks.
                    self.hints.set(entries[at].place.clone(), Hint { basis, expires_ms: 0 });
                }
            }
        }
        Ok(seen)
    }

    /// Versions were read, now the marks are counted, then the rows are read: the order of a single fill.
    async fn fill_many<E>(
        &self,
        entries: &[Entry],
        seen: &[(Basis, Option<Vec<u8>>)],
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
                        (self.store(entry, seen[*at].0, value.as_deref(), ttl_ms).await, ttl_ms)
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

    /// Whether no write is in flight for what is missing: one command for the whole batch, and some more if there are
    /// marks, which may be those of dead writers.
    async fn quiet(&self, entries: &[Entry], missing: &[usize]) -> Result<bool, RedisError> {
        let scopes: HashSet<&Scope> =
            missing.iter().flat_map(|&at| [entries[at].scope(), entries[at].absent_guard.as_ref()]).flatten().collect();
        if scopes.is_empty() {
            return Ok(true);
        }
        let marks = self.call_one("EXISTS", scopes.iter().map(|scope| scope.writing().into()).collect()).await?;
        if marks.as_int() == Some(0) {
            return Ok(true);
        }
        for some in scopes.into_iter().collect::<Vec<_>>().chunks(WIDTH) {
            for writes in join_all(some.iter().map(|scope| self.writes_in_flight(Some(*scope)))).await {
                if writes? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}
