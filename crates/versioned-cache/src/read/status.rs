//! The result of a read and how it came about, as in the `Cache-Status` field of RFC 9211.

use std::fmt;

/// Why a read did not use the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bypass {
    /// The cache is disabled, or the entry's TTL is 0.
    Disabled,
    /// Redis gave no usable reply in time.
    Unreachable,
    /// Redis failed a short time ago, and the circuit breaker is open.
    BreakerOpen,
}

/// What became of a value that came from the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is in the cache now.
    Yes,
    /// Another request fetched it; this one shares its result.
    Collapsed,
    /// Not stored: a write is in flight.
    WriteInFlight,
    /// Not stored: during the fetch, the entry was set, stored by another request, made outdated or evicted.
    Overtaken,
    /// Not stored: Redis failed or refused it.
    Failed,
}

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The cache.
    Hit,
    /// The source (such as the database), because the cache had no entry.
    Miss(Stored),
    /// The source, without the cache.
    Bypass(Bypass),
}

/// How a result came about. `Display` writes the parameters of the `Cache-Status` field, such as `hit; ttl=277`; the
/// caller writes the name of the cache before them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheStatus {
    /// Where the value came from.
    pub source: Source,
    /// Seconds until the entry ends, if there is an entry and its end is known. Below 0: it ended that long ago, and
    /// was used because the source failed or was slow.
    pub ttl_s: Option<i64>,
    /// The entry's key in Redis, if it was looked up.
    pub key: Option<String>,
}

impl CacheStatus {
    /// The status of a result that did not use the cache.
    pub fn bypass(reason: Bypass) -> Self {
        Self { source: Source::Bypass(reason), ttl_s: None, key: None }
    }
}

/// The result of a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadResult {
    /// The value, byte for byte as it was fetched; `None`: absent.
    pub value: Option<Vec<u8>>,
    /// How it came about.
    pub status: CacheStatus,
}

impl ReadResult {
    /// `stored` is what the entry holds; `ttl_ms` is `None` if it is not known, and below 0 if the entry has ended.
    pub(crate) fn hit(key: String, stored: Vec<u8>, ttl_ms: Option<i64>) -> Self {
        let ttl_s = ttl_ms.map(|ms| if ms < 0 { ms.div_euclid(1000) } else { (ms + 999) / 1000 });
        Self { value: value_of(stored), status: CacheStatus { source: Source::Hit, ttl_s, key: Some(key) } }
    }

    /// `ttl_ms` is the TTL of a value that was stored.
    pub(crate) fn miss(key: String, value: Option<Vec<u8>>, stored: Stored, ttl_ms: u64) -> Self {
        let ttl_s = (stored == Stored::Yes).then_some(ttl_ms.div_ceil(1000) as i64);
        Self { value, status: CacheStatus { source: Source::Miss(stored), ttl_s, key: Some(key) } }
    }

    pub(crate) fn bypass(reason: Bypass, value: Option<Vec<u8>>) -> Self {
        Self { value, status: CacheStatus::bypass(reason) }
    }
}

/// The value that an entry holds; `None`: an empty entry, which says that the value is absent.
pub(crate) fn value_of(stored: Vec<u8>) -> Option<Vec<u8>> {
    (!stored.is_empty()).then_some(stored)
}

impl fmt::Display for CacheStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.source {
            Source::Hit => "hit",
            Source::Miss(Stored::Yes) => "fwd=miss; stored",
            Source::Miss(Stored::Collapsed) => "fwd=miss; collapsed",
            Source::Miss(Stored::WriteInFlight) => "fwd=miss; detail=write-in-flight",
            Source::Miss(Stored::Overtaken) => "fwd=miss; detail=overtaken",
            Source::Miss(Stored::Failed) => "fwd=miss; detail=not-stored",
            Source::Bypass(Bypass::Disabled) => "fwd=bypass; detail=disabled",
            Source::Bypass(Bypass::Unreachable) => "fwd=bypass; detail=unreachable",
            Source::Bypass(Bypass::BreakerOpen) => "fwd=bypass; detail=breaker-open",
        })?;
        if let Some(ttl) = self.ttl_s {
            write!(f, "; ttl={ttl}")?;
        }
        if let Some(key) = &self.key {
            // A Structured Fields string (RFC 8941, section 3.3.3) is ASCII: other characters are percent-encoded.
            f.write_str("; key=\"")?;
            let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
            if key.bytes().all(is_plain) {
                f.write_str(key)?;
            } else {
                key.bytes().try_for_each(|byte| match byte {
                    b'"' | b'\\' => write!(f, "\\{}", char::from(byte)),
                    b' '..=b'~' => write!(f, "{}", char::from(byte)),
                    _ => write!(f, "%{byte:02X}"),
                })?;
            }
            f.write_str("\"")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_as_in_rfc_9211() {
        let hit = CacheStatus { source: Source::Hit, ttl_s: Some(287), key: Some("user:cache:42-v7".into()) };
        assert_eq!(hit.to_string(), r#"hit; ttl=287; key="user:cache:42-v7""#);
        let graced = ReadResult::hit("k".into(), b"1".to_vec(), Some(-11_001)).status;
        assert_eq!(graced.to_string(), r#"hit; ttl=-12; key="k""#);
        for (ms, s) in [(-1, -1), (0, 0), (1, 1), (1_000, 1), (1_001, 2)] {
            assert_eq!(ReadResult::hit(String::new(), vec![], Some(ms)).status.ttl_s, Some(s), "{ms}");
        }
        assert_eq!(CacheStatus::bypass(Bypass::Disabled).to_string(), "fwd=bypass; detail=disabled");
        let odd = CacheStatus { key: Some("a\"\\ü\n".into()), ..hit };
        assert_eq!(odd.to_string(), r#"hit; ttl=287; key="a\"\\%C3%BC%0A""#);
    }
}
