//! What can be locked, and its keys in Redis. No other module builds these keys.
//!
//! | key | type | value |
//! |---|---|---|
//! | `locks:{resource}` | string, TTL | the token of the holder |
//! | `fencing:{resource}` | integer, TTL | the last fencing number |
//! | `probe:{random}` | none | never written: commands on it show what the server understands (see `capabilities`) |

const LOCK_PREFIX: &str = "locks:";
const FENCING_PREFIX: &str = "fencing:";

/// The name of something that only one client may use at a time: 1 to [`Resource::MAX_BYTES`] bytes of UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource(String);

/// Why a text is not the name of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidResource {
    /// It is empty.
    #[error("must not be empty")]
    Empty,
    /// It is longer than [`Resource::MAX_BYTES`].
    #[error("must have at most {} bytes", Resource::MAX_BYTES)]
    TooLong,
    /// A key that does not begin with `locks:`.
    #[error("must begin with {LOCK_PREFIX}")]
    NotALock,
}

impl Resource {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 512;

    /// The resource with this name.
    ///
    /// # Errors
    /// [`InvalidResource::Empty`], [`InvalidResource::TooLong`].
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidResource> {
        let name = name.into();
        match name.len() {
            0 => Err(InvalidResource::Empty),
            1..=Self::MAX_BYTES => Ok(Self(name)),
            _ => Err(InvalidResource::TooLong),
        }
    }

    /// The resource whose lock has this key: the inverse of [`Resource::key`].
    ///
    /// # Errors
    /// [`InvalidResource::NotALock`] if the key does not begin with `locks:`, else as [`Resource::new`].
    pub fn from_key(key: &str) -> Result<Self, InvalidResource> {
        Self::new(key.strip_prefix(LOCK_PREFIX).ok_or(InvalidResource::NotALock)?)
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The key of its lock, `locks:{name}`.
    pub fn key(&self) -> String {
        [LOCK_PREFIX, &self.0].concat()
    }

    /// The key of its fencing counter. It never equals the key of a lock, because the prefixes differ.
    pub(crate) fn fencing_key(&self) -> String {
        [FENCING_PREFIX, &self.0].concat()
    }

    /// The pattern that matches the keys of all locks.
    pub(crate) const ALL_KEYS: &str = "locks:*";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_1_to_512_bytes() {
        assert_eq!(Resource::new(""), Err(InvalidResource::Empty));
        assert_eq!(Resource::new("x".repeat(513)), Err(InvalidResource::TooLong));
        assert_eq!(Resource::new("é".repeat(257)), Err(InvalidResource::TooLong), "bytes, not letters");
        assert_eq!(Resource::new("x".repeat(512)).expect("valid").name().len(), 512);
    }

    #[test]
    fn only_keys_of_locks_name_resources() {
        let resource = Resource::new("orders:7").expect("valid");
        assert_eq!(resource.key(), "locks:orders:7");
        assert_eq!(Resource::from_key("locks:orders:7"), Ok(resource));
        assert_eq!(Resource::from_key("locks:"), Err(InvalidResource::Empty));
        for key in ["", "locks", "user:cache:1-v2", "fencing:orders:7", "LOCKS:orders:7", " locks:x"] {
            assert_eq!(Resource::from_key(key), Err(InvalidResource::NotALock), "{key}");
        }
    }

    #[test]
    fn the_key_of_a_counter_is_not_the_key_of_a_lock() {
        let odd = Resource::new("fencing:locks:x").expect("valid");
        assert_eq!(odd.key(), "locks:fencing:locks:x");
        assert_eq!(Resource::from_key(&odd.fencing_key()), Err(InvalidResource::NotALock));
    }
}
