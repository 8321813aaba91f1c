//! Reading the counters.

use std::collections::BTreeMap;

use ports::{Connect, Redis, RedisError, Reply, Runtime};

use crate::Cache;
use crate::key::STATS;

/// How often what happened to the entries of an operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Answered from the cache.
    pub hits: u64,
    /// Not in the cache.
    pub misses: u64,
    /// Answered without asking the cache, since Redis was out of reach.
    pub bypasses: u64,
    /// Misses that shared somebody else's fetch.
    pub collapsed: u64,
    /// Values that were fetched and stored.
    pub fills: u64,
    /// Entries that somebody else had written, and that were replaced.
    pub corrupt: u64,
    /// Values that Redis did not take.
    pub errors: u64,
}

impl Counters {
    /// Hits among hits and misses, from 0 to 1; `None` before the first.
    pub fn hit_ratio(&self) -> Option<f64> {
        let reads = self.hits + self.misses;
        (reads > 0).then(|| self.hits as f64 / reads as f64)
    }

    fn counter(&mut self, event: &str) -> Option<&mut u64> {
        Some(match event {
            "hits" => &mut self.hits,
            "misses" => &mut self.misses,
            "bypasses" => &mut self.bypasses,
            "collapsed" => &mut self.collapsed,
            "fills" => &mut self.fills,
            "corrupt" => &mut self.corrupt,
            "errors" => &mut self.errors,
            _ => return None,
        })
    }
}

impl std::ops::AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        self.hits += other.hits;
        self.misses += other.misses;
        self.bypasses += other.bypasses;
        self.collapsed += other.collapsed;
        self.fills += other.fills;
        self.corrupt += other.corrupt;
        self.errors += other.errors;
    }
}

/// The counters of all instances and components, by module and operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats(pub BTreeMap<(String, String), Counters>);

impl Stats {
    /// All together.
    pub fn total(&self) -> Counters {
        let mut total = Counters::default();
        self.0.values().for_each(|counters| total += *counters);
        total
    }

    /// From the fields and values of the hash. Fields that somebody else put there are left out.
    fn from_replies(replies: &[Reply]) -> Self {
        let mut stats = Self::default();
        for pair in replies.chunks_exact(2) {
            let Reply::Bytes(field) = &pair[0] else { continue };
            let mut parts = str::from_utf8(field).unwrap_or_default().splitn(3, ':');
            let (Some(module), Some(operation), Some(event)) = (parts.next(), parts.next(), parts.next()) else {
                continue;
            };
            let count = pair[1].as_int().and_then(|count| u64::try_from(count).ok());
            let mut counters = Counters::default();
            if let (Some(counter), Some(count)) = (counters.counter(event), count) {
                *counter = count;
                *stats.0.entry((module.to_owned(), operation.to_owned())).or_default() += counters;
            }
        }
        stats
    }
}

impl<R: Redis + Connect + 'static, T: Runtime + 'static> Cache<R, T> {
    /// What has been counted since the last reset (or since Redis lost the counters).
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn stats(&self) -> Result<Stats, RedisError> {
        self.send_stats().await;
        let replies = self.patiently(async || self.call("HGETALL", vec![STATS.into()]).await).await?;
        Ok(Stats::from_replies(&replies))
    }

    /// Sets all counters to zero.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn reset_stats(&self) -> Result<(), RedisError> {
        self.send_stats().await;
        self.patiently(async || self.call("DEL", vec![STATS.into()]).await).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_sorted_out() {
        let replies =
            ["users:list:hits", "3", "users:list:misses", "1", "users:get:hits", "4", "odd", "5", "a:b:c", "6"];
        let replies = replies.map(|text| Reply::Bytes(text.into()));
        let stats = Stats::from_replies(&replies);
        assert_eq!(stats.0.len(), 2);
        let list = stats.0[&("users".to_owned(), "list".to_owned())];
        assert_eq!((list.hits, list.misses, list.hit_ratio()), (3, 1, Some(0.75)));
        assert_eq!((stats.total().hits, stats.total().misses), (7, 1));
        assert_eq!(Counters::default().hit_ratio(), None);
    }
}
