//! The entries of this API in the cache: the operation `get` of the module `kv`. Their values are JSON.

use serde_json::value::RawValue;
use versioned_cache::{Entry, Ttl};

use crate::key::Key;
use crate::ttl::{Seconds, TTL_MAX_S};

/// The module of all keys of this API.
pub const KV_MODULE: &str = "kv";
/// The operation of all keys of this API.
pub const KV_OPERATION: &str = "get";

/// Bytes of one value, at most.
pub const VALUE_MAX: usize = 512 * 1024;

/// How long the cache remembers that the origin has no value: long enough to keep a burst of requests away from the
/// origin, and short enough that a new value is found soon.
const ABSENT_S: Seconds = 5;

/// The entry of a key, for reads and removals, which do not use its TTL.
pub fn entry(key: &Key) -> Entry {
    entry_with_ttl(key, TTL_MAX_S)
}

/// The entry of a key, for writes.
pub fn entry_with_ttl(key: &Key, ttl_s: Seconds) -> Entry {
    Entry::named(KV_MODULE, KV_OPERATION, key.as_str(), ttl(ttl_s)).checked_by(is_json)
}

/// The TTLs of a value and of its absence.
pub fn ttl(found_s: Seconds) -> Ttl {
    Ttl { found_s, absent_s: ABSENT_S.min(found_s) }
}

/// Whether this component can have stored `value`.
pub fn is_json(value: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(value).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absence_never_outlives_a_value() {
        assert_eq!(ttl(60), Ttl { found_s: 60, absent_s: 5 });
        assert_eq!(ttl(2), Ttl { found_s: 2, absent_s: 2 });
    }

    #[test]
    fn only_json_counts_as_a_value() {
        for good in ["null", "1e400", "[1.10]", " {}", r#""\ud800""#] {
            assert!(is_json(good.as_bytes()), "{good}");
        }
        for bad in [&b""[..], b"hello", b"{", b"\"\xff\"", b"1 2"] {
            assert!(!is_json(bad), "{bad:?}");
        }
    }
}
