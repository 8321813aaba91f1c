//! Invalidation of many by the look of their names, and of everything: SCAN and UNLINK, in steps that are short for
//! Redis.

use ports::{Arg, Connect, Redis, RedisError, Reply, Runtime};

use crate::Cache;
use crate::invalidate::count_in;
use crate::key;

/// The cursor that a walk begins with, and ends with.
const START: &[u8] = b"0";

/// Keys that Redis looks at in one step, at most: some 0.2 ms of its time.
const STEP: usize = 1_000;
/// Bytes of a pattern, times keys in a step, at most: comparing may cost as much as both lengths multiplied, and keys may
/// have half a kilobyte, so that this comes to a few million comparisons.
const PATTERN_BYTES_A_STEP: usize = 8_000;
/// Keys in a step at the least.
const SMALLEST_STEP: usize = 8;

impl<R: Redis + Connect + 'static, T: Runtime + 'static> Cache<R, T> {
    /// Outdates and removes the named entries of an operation whose names match a Redis glob; how many there were. No
    /// other key can match, whatever the pattern. It walks through all keys of Redis, at most 1,000 at a time.
    ///
    /// # Errors
    /// Redis does not answer: some may be gone.
    pub async fn invalidate_matching(&self, module: &str, operation: &str, pattern: &str) -> Result<u64, RedisError> {
        // A fetch under way has started its version, so it is found by that.
        let prefix = key::named_version(&[module, ":", operation, ":"].concat());
        let versions = key::named_version("").len();
        let mut removed = 0;
        let mut cursor = START.to_vec();
        loop {
            let (next, keys) = self.step(cursor, &prefix, pattern).await?;
            // The prefix has no wildcard: what matches begins with it.
            let paths: Vec<String> = keys.iter().map(|key| key[versions..].to_owned()).collect();
            if !paths.is_empty() {
                removed += self.patiently(async || self.unlink_named(&paths).await).await?;
            }
            cursor = match next {
                Some(next) => next,
                None => return Ok(removed),
            };
        }
    }

    /// Outdates everything that is cached, and removes it; how many entries there were. Counters, locks and the versions
    /// of scopes stay, and whatever else is in Redis.
    ///
    /// # Errors
    /// Redis does not answer: some may be gone.
    pub async fn clear(&self) -> Result<u64, RedisError> {
        let mut removed = 0;
        let mut modules: Vec<String> = self.operations().await?.into_iter().map(|(module, _)| module).collect();
        modules.dedup();
        for module in modules {
            removed += self.invalidate_module(&module).await?;
        }
        // What no registry knew of, for it was evicted or not registered yet.
        let generations = key::module_generation("");
        let (entries, versions) = (key::named_entry(""), key::named_version(""));
        let registries = key::registry("", "").trim_end_matches(':').to_owned();
        let mut cursor = START.to_vec();
        loop {
            let (next, keys) = self.step(cursor, key::NAMESPACE, "*").await?;
            for generation in keys.iter().filter(|key| key.starts_with(&generations)) {
                self.renew(&[], generation).await?;
            }
            let of = |prefix: &str| -> Vec<Arg> {
                keys.iter().filter(|key| key.starts_with(prefix)).map(|key| key.as_str().into()).collect()
            };
            let (rest, entries) = ([of(&versions), of(&registries)].concat(), of(&entries));
            if !rest.is_empty() {
                self.patiently(async || self.call("UNLINK", rest.clone()).await).await?;
            }
            if !entries.is_empty() {
                removed += count_in(&self.patiently(async || self.call_one("UNLINK", entries.clone()).await).await?);
            }
            cursor = match next {
                Some(next) => next,
                None => return Ok(removed),
            };
        }
    }

    /// One step of a walk through the keys that match: where to go on, if there is more, and what was found.
    async fn step(
        &self,
        cursor: Vec<u8>,
        prefix: &str,
        pattern: &str,
    ) -> Result<(Option<Vec<u8>>, Vec<String>), RedisError> {
        let matching = [prefix, pattern].concat();
        let keys = (PATTERN_BYTES_A_STEP / pattern.len().max(1)).clamp(SMALLEST_STEP, STEP);
        let scan = async || {
            let words = [
                cursor.clone().into(),
                "MATCH".into(),
                matching.as_str().into(),
                "COUNT".into(),
                Arg::Int(keys as i64),
            ];
            self.call("SCAN", words.to_vec()).await
        };
        let mut replies = self.patiently(scan).await?.into_iter().filter_map(Reply::into_bytes);
        let next = replies.next().filter(|cursor| cursor.as_slice() != START);
        Ok((next, replies.filter_map(|key| String::from_utf8(key).ok()).collect()))
    }
}
