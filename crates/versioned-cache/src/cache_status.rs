//! How an answer came about, as the `Cache-Status` field of RFC 9211.

use std::fmt;

/// Why the cache was not asked, or its answer not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bypass {
    /// The cache is turned off.
    Disabled,
    /// Redis gave no (usable) answer in time.
    Unreachable,
    /// Redis failed a moment ago and is left alone.
    BreakerOpen,
}

/// What became of a value that came from the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is in the cache now.
    Yes,
    /// Somebody else's fetch of the same version answered this request.
    Collapsed,
    /// A write is in flight.
    WriteInFlight,
    /// Somebody else stored a value while this one was fetched.
    Overtaken,
    /// Redis did not take it.
    Failed,
}

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The cache.
    Hit,
    /// The database, since the cache had nothing.
    Miss(Stored),
    /// The database, without asking the cache.
    Bypass(Bypass),
}

/// How an answer came about. `Display` writes the parameters of the `Cache-Status` field, such as `hit; ttl=277`; the
/// caller writes the name of the cache before them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheStatus {
    /// Where the answer came from.
    pub source: Source,
    /// Seconds until the entry ends, if there is one.
    pub ttl_s: Option<u64>,
    /// The entry's key, if it has been looked up.
    pub key: Option<String>,
}

impl CacheStatus {
    /// An answer that came from the database without asking the cache.
    pub fn bypass(reason: Bypass) -> Self {
        Self { source: Source::Bypass(reason), ttl_s: None, key: None }
    }
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
            write!(f, "; key=\"{}\"", Quoted(key))?;
        }
        Ok(())
    }
}

/// The inside of a Structured Fields string (RFC 8941, section 3.3.3), which is ASCII: other characters are
/// percent-encoded.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.bytes().try_for_each(|byte| match byte {
            b'"' | b'\\' => write!(f, "\\{}", char::from(byte)),
            b' '..=b'~' => write!(f, "{}", char::from(byte)),
            _ => write!(f, "%{byte:02X}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_rfc_9211() {
        let hit = CacheStatus { source: Source::Hit, ttl_s: Some(287), key: Some("user:cache:42-v7".into()) };
        assert_eq!(hit.to_string(), r#"hit; ttl=287; key="user:cache:42-v7""#);
        assert_eq!(CacheStatus::bypass(Bypass::Disabled).to_string(), "fwd=bypass; detail=disabled");
        let odd = CacheStatus { key: Some("a\"\\ü\n".into()), ..hit };
        assert_eq!(odd.to_string(), r#"hit; ttl=287; key="a\"\\%C3%BC%0A""#);
    }
}
