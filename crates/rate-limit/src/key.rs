//! The keys in Redis. No other module builds them.
//!
//! | key | type | value |
//! |---|---|---|
//! | `ratelimit:{class}:{client}:{window}` | sorted set, TTL | one member `n`; its score is the count |
//! | `ratelimit-increx:{class}:{client}:{window}` | integer, TTL | the count, on servers that have INCREX |
//!
//! The window is its number since the Unix epoch: the time divided by the window's length. The prefixes of the two
//! types differ. So if another server with other commands takes over the data, no command finds a counter of the wrong
//! type.

/// How much longer than it is needed a counter lives, in milliseconds: clocks differ a little.
const MARGIN_MS: u64 = 1_000;

/// Which type the counters have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    SortedSet,
    Integer,
}

impl Type {
    /// The key of a counter.
    pub(crate) fn key(self, class: &str, client: &str, window: u64) -> String {
        let prefix = match self {
            Self::SortedSet => "ratelimit",
            Self::Integer => "ratelimit-increx",
        };
        format!("{prefix}:{class}:{client}:{window}")
    }
}

/// The TTL of a counter that is created now. It is needed until the end of the next window.
pub(crate) fn ttl_ms(window_ms: u64) -> i64 {
    (2 * window_ms + MARGIN_MS) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_types_have_different_keys_whatever_the_client_is_called() {
        let set = Type::SortedSet.key("users.write", "ip:2001:db8::/64", 7);
        assert_eq!(set, "ratelimit:users.write:ip:2001:db8::/64:7");
        assert_eq!(Type::Integer.key("default", "sub:42", 7), "ratelimit-increx:default:sub:42:7");
        let prefix = |kind: Type| kind.key("api", "x", 1).split(':').next().map(str::to_owned);
        assert_ne!(prefix(Type::SortedSet), prefix(Type::Integer));
    }
}
