//! Filling many entries: one fetch for all that a batch misses.

use std::collections::{HashMap, HashSet};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use ports::{Connect, RedisError, Reply, Runtime};

use super::Filler;
use super::store::{self, Replaced};
use crate::entry::{Entry, Versions};
use crate::key::Scope;
use crate::read::{BATCH_WIDTH, Bypass, ReadResult, Seen, Stored};
use crate::stats::Event;

/// The versions of an entry, and its value if it is cached.
pub(crate) type Current = (Versions, Option<Vec<u8>>);

/// A fetched value, what became of it, and the TTL in ms that it was stored with.
type Fetched = (Option<Vec<u8>>, Stored, u64);

impl<R: Connect, T: Runtime> Filler<R, T> {
    /// See [`Cache::get_or_set_many`](crate::Cache::get_or_set_many).
    ///
    /// `on_hits` gets what was found and `fetch`, if all entries were hits.
    pub(crate) async fn get_or_set_many<E, F>(
        &self,
        entries: &[Entry],
        fetch: F,
        on_hits: impl FnOnce(&[Current], F),
    ) -> Result<Vec<ReadResult>, E>
    where
        F: AsyncFnOnce(&[usize]) -> Result<Vec<Option<Vec<u8>>>, E>,
    {
        let current = match self.read_many(entries).await {
            Ok(current) => current,
            Err(reason) => {
                if reason != Bypass::Disabled {
                    entries.iter().for_each(|entry| self.reader.stats.count(entry, Event::Bypass));
                }
                let all: Vec<usize> = (0..entries.len()).collect();
                let values = fetch(&all).await?;
                return Ok(values.into_iter().map(|value| ReadResult::bypass(reason, value)).collect());
            }
        };
        let missing: Vec<usize> = (0..entries.len()).filter(|&at| current[at].1.is_none()).collect();
        for (entry, (_, value)) in entries.iter().zip(&current) {
            self.reader.stats.count(entry, if value.is_some() { Event::Hit } else { Event::Miss });
        }
        let mut graced = HashMap::new();
        let fetched = if missing.is_empty() {
            on_hits(&current, fetch);
            Vec::new()
        } else {
            match self.fill_many(entries, &current, &missing, fetch).await {
                Ok(fetched) => fetched,
                Err(error) => {
                    graced = self.many_in_grace(entries, &missing).await.ok_or(error)?;
                    Vec::new()
                }
            }
        };
        let mut fetched = fetched.into_iter();
        let results = entries.iter().zip(current).enumerate().map(|(at, (entry, (versions, value)))| {
            let key = entry.key(versions);
            match value {
                Some(value) => ReadResult::hit(key, value, None),
                None => {
                    if let Some(graced) = graced.remove(&at) {
                        return graced;
                    }
                    let (value, stored, ttl_ms) = fetched.next().unwrap_or((None, Stored::Failed, 0));
                    ReadResult::miss(key, value, stored, ttl_ms)
                }
            }
        });
        Ok(results.collect())
    }

    /// What is returned for the missing entries instead of the error of their fetch; `None`: at least one of them has
    /// no value in grace.
    async fn many_in_grace(&self, entries: &[Entry], missing: &[usize]) -> Option<HashMap<usize, ReadResult>> {
        let looked_up = missing.iter().map(async |&at| Some((at, self.look_up_in_grace(&entries[at]).await?)));
        let looked_up: Vec<_> = stream::iter(looked_up).buffered(BATCH_WIDTH).collect().await;
        let graced: Vec<(usize, (ReadResult, bool))> = looked_up.into_iter().collect::<Option<_>>()?;
        let mut results = HashMap::new();
        for (at, (result, has_ended)) in graced {
            if has_ended {
                self.reader.stats.count(&entries[at], Event::Graced);
            }
            results.insert(at, result);
        }
        Some(results)
    }

    async fn read_many(&self, entries: &[Entry]) -> Result<Vec<Current>, Bypass> {
        if !entries.iter().all(Entry::is_cacheable) {
            return Err(Bypass::Disabled);
        }
        let seen = self.reader.unless_bypassed(self.reader.look_up_many(entries)).await?;
        self.reader.unless_bypassed(self.start_many(entries, seen)).await
    }

    /// Starts all versions that were lost.
    async fn start_many(&self, entries: &[Entry], seen: Vec<Seen>) -> Result<Vec<Current>, RedisError> {
        // Those that many entries share first, each once. After that, at most the own version of an entry is missing.
        let lost = |seen: &Seen| matches!(&seen.versions, Err(replies) if replies[1..].contains(&Reply::Nil));
        let shared = entries.iter().zip(&seen).filter(|(_, seen)| lost(seen));
        let shared: Vec<String> = shared.flat_map(|(entry, _)| entry.other_keys()).collect();
        self.reader.generations.known(shared.iter()).await?;
        let started = entries.iter().zip(seen).map(async |(entry, seen)| match seen.versions {
            Ok(versions) => Ok((versions, seen.value)),
            Err(replies) => Ok((self.reader.generations.start(entry, replies).await?, None)),
        });
        stream::iter(started).buffered(BATCH_WIDTH).try_collect().await
    }

    /// The order is that of a single fill: the versions were read, now the marks are counted, then the rows are read.
    async fn fill_many<E>(
        &self,
        entries: &[Entry],
        current: &[Current],
        missing: &[usize],
        fetch: impl AsyncFnOnce(&[usize]) -> Result<Vec<Option<Vec<u8>>>, E>,
    ) -> Result<Vec<Fetched>, E> {
        let allowed = self.no_writes_in_flight(entries, missing).await;
        let runtime = self.reader.client.runtime();
        let began_ms = runtime.monotonic_ms();
        let values = fetch(missing).await?;
        let took_ms = runtime.monotonic_ms() - began_ms;
        let fetched = missing.iter().zip(values).map(async |(&at, value)| match &allowed {
            Ok(true) => {
                let fetched = store::Fetched { value: value.as_deref(), took_ms, replaces: Replaced::Ended };
                let (stored, ttl_ms) = self.reader.store(&entries[at], current[at].0, fetched).await;
                (value, stored, ttl_ms)
            }
            Ok(false) => (value, Stored::WriteInFlight, 0),
            Err(_) => (value, Stored::Failed, 0),
        });
        let fetched: Vec<Fetched> = stream::iter(fetched).buffered(BATCH_WIDTH).collect().await;
        let stored: Vec<(&Entry, u64)> = missing
            .iter()
            .zip(&fetched)
            .filter(|(_, (value, stored, _))| value.is_some() && *stored == Stored::Yes)
            .map(|(at, (.., ttl_ms))| (&entries[*at], self.reader.settings.life_ms(true, *ttl_ms)))
            .collect();
        if !stored.is_empty() {
            self.registry.register(&stored).await;
        }
        Ok(fetched)
    }

    /// Whether no write of the missing entries is in flight: one command for the whole batch, and more if there are
    /// marks, which may be those of dead writers.
    async fn no_writes_in_flight(&self, entries: &[Entry], missing: &[usize]) -> Result<bool, RedisError> {
        let scopes = missing.iter().flat_map(|&at| [entries[at].scope(), entries[at].absent_guard.as_ref()]);
        let scopes: HashSet<&Scope> = scopes.flatten().collect();
        if scopes.is_empty() {
            return Ok(true);
        }
        let keys = scopes.iter().map(|scope| scope.writing().into()).collect();
        if self.reader.client.call_one("EXISTS", keys).await?.as_int() == Some(0) {
            return Ok(true);
        }
        let writes = scopes.into_iter().map(|scope| self.reader.writes_in_flight(Some(scope)));
        let mut writes = stream::iter(writes).buffered(BATCH_WIDTH);
        while let Some(in_flight) = writes.try_next().await? {
            if in_flight {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
