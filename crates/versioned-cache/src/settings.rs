//! The settings of a cache.

/// How long an entry lives, in seconds. Scoped entries live up to 10 % longer or shorter, at random, so that entries
/// that were stored together do not end together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ttl {
    /// A value; 0: it is not cached.
    pub found_s: u64,
    /// An absence.
    pub absent_s: u64,
}

impl Default for Ttl {
    /// 300 s for a value and 30 s for an absence.
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
    /// It commits. Other instances that can reach Redis may read stale entries until the bump, which is repeated in the
    /// background, succeeds, or until the entries end.
    Available,
    /// It writes nothing and fails.
    Consistent,
}

/// The settings of a [`Cache`](crate::Cache). Times are in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// `false`: every read goes to the source. Writes still bump versions, because other instances may have the cache
    /// enabled, and this one may enable it again.
    pub enabled: bool,
    /// How long one Redis command may take.
    pub timeout_ms: u64,
    /// How long the circuit breaker stays open after a failure.
    pub breaker_ms: u64,
    /// What a write does while Redis is unreachable.
    pub write_policy: WritePolicy,
    /// How long a mark (write in flight) counts. Every statement must end well before that. The remaining time is the
    /// difference that the clocks of the instances may have.
    pub mark_ms: u64,
    /// How long the lease of a fill lives.
    pub lease_ms: u64,
    /// How long gets, sets, deletes, invalidations and listings are repeated while Redis is unreachable.
    pub patience_ms: u64,
    /// How long a read waits for another request's fill before it fetches the value itself.
    pub fill_wait_ms: u64,
    /// The part of the hits that is compared with the source after the response, from 0 (none, which costs nothing) to
    /// 1.
    pub verify_ratio: f64,
    /// Grace: how long values stay beyond their TTL. They are used only if the fetch fails, or takes longer than
    /// [`Settings::soft_timeout_ms`], and only while their versions are current. 0: not at all.
    pub grace_ms: u64,
    /// With [`Settings::grace_ms`]: if a fetch takes longer, the response has the old value, and the fetch goes on
    /// after it. 0: reads wait for their fetch.
    pub soft_timeout_ms: u64,
    /// How early a hit refreshes its entry after the response: the beta of XFetch. 0.0: never; 1.0 is the value of
    /// Vattani, Chierichetti and Lowenstein, *Optimal Probabilistic Cache Stampede Prevention*, 2015.
    pub refresh_ahead: f64,
    /// Values of at least this many bytes are compressed. 0: none.
    pub compress_min_bytes: usize,
}

impl Settings {
    /// Whether entries that were fetched say when they end and how long the fetch took.
    pub(crate) fn stores_timing(&self) -> bool {
        self.grace_ms > 0 || self.refresh_ahead > 0.0
    }

    /// How long Redis keeps the key of an entry that lives for `ttl_ms`. `found`: the entry has a value, and is not an
    /// absence. Absences have no grace: reading ids that do not exist would fill Redis.
    pub(crate) fn life_ms(&self, found: bool, ttl_ms: u64) -> u64 {
        if found { ttl_ms + self.grace_ms } else { ttl_ms }
    }
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
            verify_ratio: 0.001,
            grace_ms: 0,
            soft_timeout_ms: 0,
            refresh_ahead: 0.0,
            compress_min_bytes: 0,
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
