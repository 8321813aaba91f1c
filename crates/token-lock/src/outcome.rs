//! What the operations come to.

use std::fmt;

use crate::resource::Resource;
use crate::token::Token;

/// A lock that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// What is locked.
    pub resource: Resource,
    /// What releases and extends it.
    pub token: Token,
    /// Greater than that of every earlier grant of this resource, and less than 2^53. To be sent along with every use
    /// of the resource, which refuses numbers less than the greatest that it has seen.
    pub fencing: u64,
    /// The time to live that was asked for, in milliseconds.
    pub ttl_ms: u64,
    /// When it ends, in Unix milliseconds by this instance's clock: never later than it ends on the servers.
    pub expires_at_ms: u64,
    /// The same by the monotonic clock.
    pub(crate) valid_until_ms: u64,
}

/// What became of an attempt to acquire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acquired {
    /// All resources are locked, in the order of their names.
    Granted(Vec<Grant>),
    /// At least one is held by somebody else; none is locked.
    Taken {
        /// For how long the lock that is in the way is held yet, in milliseconds, if it is neither released nor
        /// extended; a moment if that is not known.
        retry_after_ms: u64,
    },
}

/// What became of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Released {
    /// The lock was this token's and is free now.
    Removed,
    /// The lock is free, but it was not this token's any more: what it protected may have run unprotected.
    Expired,
    /// Somebody else holds the lock, and still does.
    HeldByAnother,
}

/// What became of an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extended {
    /// The lock is still this token's.
    Until {
        /// When it ends, in Unix milliseconds: never later than it ends on the servers.
        expires_at_ms: u64,
    },
    /// The lock had expired and is free.
    Expired,
    /// Somebody else holds the lock.
    HeldByAnother,
}

/// What is known of a resource, without the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// `None`: free.
    pub held: Option<Held>,
    /// The number that was drawn last, as far as the servers that answer know: that of the last grant, as a rule. For
    /// people to look at; what a resource compares is what its users send. `None` if it is not known (any more).
    pub fencing: Option<u64>,
}

/// That a lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// For how long yet, in milliseconds, unless it is released or extended; `None`: its key never expires, so somebody
    /// else wrote it.
    pub ttl_ms: Option<u64>,
}

/// One page of the locks that are held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// In no particular order. A lock may be on two pages; one that is held from the first page to the last is on one
    /// at least.
    pub locks: Vec<(Resource, Inspected)>,
    /// What to ask for the next page with; `None`: this is the last one.
    pub next: Option<String>,
}

/// Why an operation came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockError {
    /// The server (the majority of the servers) did not answer in time, or refused. What was asked for may still have
    /// happened, but nothing is granted. The text is for the log.
    Unavailable(String),
    /// A cursor that no page has given out.
    InvalidCursor,
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(why) => write!(f, "locks are unavailable: {why}"),
            Self::InvalidCursor => f.write_str("the cursor is not one that a page has given out"),
        }
    }
}

impl std::error::Error for LockError {}
