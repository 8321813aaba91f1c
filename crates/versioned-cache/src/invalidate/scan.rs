//! Goes through the keys of Redis with SCAN, in small steps that block Redis only briefly.

use ports::{Arg, Client, Connect, RedisError, Reply, Runtime};

/// The cursor that a walk begins and ends with.
const START: &[u8] = b"0";

/// The most keys that Redis examines in one step: about 0.2 ms of its time.
const STEP_MAX: usize = 1_000;
/// The fewest keys in a step.
const STEP_MIN: usize = 8;
/// The product of the pattern's length and the keys in a step is at most this. Matching a key may cost the product of
/// both lengths, and a key may have half a kilobyte, so that a step costs a few million comparisons at most.
const STEP_PATTERN_BYTES: usize = 8_000;

/// A walk through all keys that match.
pub(crate) struct Scan {
    /// `None`: the walk has ended.
    cursor: Option<Vec<u8>>,
    pattern: String,
    step: usize,
}

impl Scan {
    /// Keys that begin with `prefix`, which must not contain wildcards, and whose rest matches the glob `pattern`.
    pub(crate) fn new(prefix: &str, pattern: &str) -> Self {
        let step = (STEP_PATTERN_BYTES / pattern.len().max(1)).clamp(STEP_MIN, STEP_MAX);
        Self { cursor: Some(START.to_vec()), pattern: [prefix, pattern].concat(), step }
    }

    /// Takes a step, and repeats it while Redis is unreachable. Returns the keys that match, often none; `None`: the
    /// walk has ended.
    pub(crate) async fn next<R: Connect, T: Runtime>(
        &mut self,
        client: &Client<R, T>,
    ) -> Result<Option<Vec<String>>, RedisError> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let matching = ["MATCH".into(), self.pattern.as_str().into(), "COUNT".into(), Arg::Int(self.step as i64)];
        let args = std::iter::once(cursor.clone().into()).chain(matching).collect();
        let replies = client.retry_call("SCAN", args).await?;
        let mut replies = replies.into_iter().filter_map(Reply::into_bytes);
        self.cursor = replies.next().filter(|cursor| cursor.as_slice() != START);
        Ok(Some(replies.filter_map(|key| String::from_utf8(key).ok()).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_patterns_make_small_steps() {
        let step = |length: usize| Scan::new("cache:", &"*".repeat(length)).step;
        assert_eq!([0, 1, 8, 80, 1_000, 100_000].map(step), [1_000, 1_000, 1_000, 100, 8, 8]);
    }
}
