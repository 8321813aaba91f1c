//! The problems of this service. Texts of Redis go to the log only.

use http_api::{FieldError, Kind, Problem};
use token_lock::{InvalidResource, LockError};

/// Acquire failed. Without Redis no lock is granted.
pub fn acquire(error: LockError) -> Problem {
    lock_error(error, "The lock servers are unavailable: nothing was granted.")
}

/// Release, extend or break failed. The lock may be in any state.
pub fn change(error: LockError) -> Problem {
    lock_error(error, "The lock servers are unavailable; the change may or may not have taken effect.")
}

/// A read failed.
pub fn read(error: LockError) -> Problem {
    lock_error(error, "The lock servers are unavailable.")
}

fn lock_error(error: LockError, unavailable: &str) -> Problem {
    match error {
        LockError::Unavailable(_) => {
            tracing::warn!(%error, "the lock servers are unavailable");
            Problem::new(Kind::Unavailable, unavailable)
        }
        LockError::SameServer => Problem::internal(
            "lock_redis_urls must name different servers: two of them are one server, under two names or databases",
        ),
        LockError::InvalidCursor => {
            Problem::parameters(vec![FieldError::field("cursor", "must be the cursor of a link to a next page")])
        }
    }
}

/// The member `key` is a key of something else in Redis. It is a 400 and not a 422, unlike other wrong members.
pub fn not_a_lock(error: InvalidResource) -> Problem {
    Problem::new(Kind::InvalidParameter, "The key does not belong to a lock. This route changes only locks.")
        .with_errors(vec![FieldError::at("/key", error.to_string())])
}
