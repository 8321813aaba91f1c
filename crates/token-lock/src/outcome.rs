//! What the operations return.

use crate::resource::Resource;
use crate::token::Token;

/// A lock that the caller holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The locked resource.
    pub resource: Resource,
    /// Proves who holds the lock: release and extend need it.
    pub token: Token,
    /// The fencing number: greater than those of all earlier grants of this resource, and less than 2^53. Send it with
    /// every use of the resource. The resource refuses a number that is less than the greatest it has seen.
    pub fencing: u64,
    /// The requested TTL in milliseconds.
    pub ttl_ms: u64,
    /// When the lock ends, in Unix milliseconds by this instance's clock. Conservative: counted from before the request
    /// was sent, so the servers keep the lock at least that long.
    pub expires_at_ms: u64,
    /// The same by the monotonic clock.
    pub(crate) valid_until_ms: u64,
}

/// The result of an attempt to acquire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acquired {
    /// All resources are locked. The grants are in the order of the names.
    Granted(Vec<Grant>),
    /// Another client holds at least one resource. None is locked.
    Taken {
        /// How many milliseconds the other lock still lasts, unless it is released or extended. A short random time if
        /// that is unknown.
        retry_after_ms: u64,
    },
}

/// The result of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Released {
    /// The token held the lock, which is free now.
    Removed,
    /// The lock is free, but the token did not hold it any more: some of the work may have run without the lock.
    Expired,
    /// Another token holds the lock. It was not touched.
    HeldByAnother,
}

/// The result of an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extended {
    /// The token still holds the lock.
    Until {
        /// When the lock ends: see [`Grant::expires_at_ms`].
        expires_at_ms: u64,
    },
    /// The lock had expired and is free.
    Expired,
    /// Another token holds the lock.
    HeldByAnother,
}

/// What anyone may know about a resource, without its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// `None`: free.
    pub held: Option<Held>,
    /// The last fencing number that the servers know, usually that of the last grant. `None`: unknown, for example
    /// because the counter was evicted. Only for display: a resource must compare the numbers that clients send.
    pub fencing: Option<u64>,
}

/// A lock, seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// How many milliseconds it still lasts, unless it is released or extended. `None`: the key has no TTL, so it was
    /// not written by this crate.
    pub ttl_ms: Option<u64>,
}

/// One page of the list of locks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The locks, in no order. A lock may be on two pages. A lock that is held during the whole listing is on at least
    /// one.
    pub locks: Vec<(Resource, Inspected)>,
    /// The cursor of the next page. `None`: this is the last one.
    pub next: Option<String>,
}

/// Why an operation failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// The server, or the majority of the servers, did not reply in time or refused. Nothing is granted, but a release,
    /// an extension or a break may have taken effect. The text is for the log.
    #[error("locks are unavailable: {0}")]
    Unavailable(String),
    /// Two of the servers of the quorum are the same one.
    #[error("two of the lock servers are one and the same server")]
    SameServer,
    /// The cursor is not one that a page returned.
    #[error("the cursor is not one that a page returned")]
    InvalidCursor,
}
