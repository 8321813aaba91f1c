//! What can be set.

/// How long an entry lives, in seconds. Entries of a scope get plus or minus 10 % of jitter, so that entries made together
/// do not end together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ttl {
    /// For a value; 0: it is not cached.
    pub found_s: u64,
    /// For "there is no such thing".
    pub absent_s: u64,
}

impl Default for Ttl {
    /// 300 s, and 30 s for what does not exist: for operations that nobody chose a TTL for.
    fn default() -> Self {
        Self { found_s: 300, absent_s: 30 }
    }
}

impl Ttl {
    /// The TTL in milliseconds with its jitter, at least 1.
    pub(crate) fn jittered_ms(self, found: bool, random: u64) -> u64 {
        let ms = self.exact_ms(found);
        (ms - ms / 10 + random % (ms / 5 + 1)).max(1)
    }

    /// The TTL in milliseconds, at least 1.
    pub(crate) fn exact_ms(self, found: bool) -> u64 {
        (if found { self.found_s } else { self.absent_s } * 1000).max(1)
    }
}

/// What a write does while Redis is unreachable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WritePolicy {
    /// Commit. Entries that other instances still reach may be stale until their TTL ends, or until the bump, which is
    /// tried again in the background, gets through.
    Available,
    /// Write nothing and say so.
    Consistent,
}

/// The settings of a [`Cache`](crate::Cache). Times are in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// `false`: every read goes to the database. Writes bump versions all the same, so that instances with the cache
    /// on (or this one, when it is turned on again) see them.
    pub enabled: bool,
    /// How long one Redis command may take.
    pub timeout_ms: u64,
    /// How long Redis is left alone after a failure.
    pub breaker_ms: u64,
    /// What a write does while Redis is unreachable.
    pub write_policy: WritePolicy,
    /// How long a mark "write in flight" counts. Every statement must have ended well before: the margin is what clocks
    /// of different instances may differ by.
    pub mark_ms: u64,
    /// How long a fill may keep others from filling the same entry.
    pub lease_ms: u64,
    /// How long commands that do more than read are repeated while Redis is unreachable.
    pub patience_ms: u64,
    /// How long a reader waits for somebody else's fill before it asks the database itself.
    pub fill_wait_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enabled: true,
            timeout_ms: 100,
            breaker_ms: 500,
            write_policy: WritePolicy::Available,
            mark_ms: 30_000,
            lease_ms: 1_000,
            patience_ms: 800,
            fill_wait_ms: 500,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_ten_per_cent() {
        let ttl = Ttl { found_s: 300, absent_s: 1 };
        for random in [0, 1, 59_999, 60_000, 60_001, u64::MAX] {
            assert!((270_000..=330_000).contains(&ttl.jittered_ms(true, random)));
            assert!((900..=1_100).contains(&ttl.jittered_ms(false, random)));
        }
        assert_eq!(Ttl { found_s: 0, absent_s: 0 }.jittered_ms(true, 7), 1);
    }
}
