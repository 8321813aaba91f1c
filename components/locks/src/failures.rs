//! What clients are told when the lock protocol fails. What Redis said goes to the log only.

use problem::{FieldError, Kind, Problem};
use spin_adapter::http::Failure;
use token_lock::LockError;

/// Nothing was granted: a lock never fails open.
pub fn acquiring(error: LockError) -> Failure {
    failed(error, "The servers that keep the locks gave no answer in time: nothing was granted.")
}

/// A lock that could not be released, extended or broken may be in any state.
pub fn changing(error: LockError) -> Failure {
    failed(error, "The servers that keep the locks gave no answer in time: the change may or may not have happened.")
}

/// Locks that could not be looked at.
pub fn looking(error: LockError) -> Failure {
    failed(error, "The servers that keep the locks gave no answer in time.")
}

fn failed(error: LockError, detail: &str) -> Failure {
    match error {
        LockError::Unavailable(_) => {
            eprintln!("{error}");
            Problem::new(Kind::Unavailable, detail).into()
        }
        LockError::InvalidCursor => {
            let detail = "must be the cursor of a link to a next page";
            Problem::parameters(vec![FieldError::field("cursor", detail)]).into()
        }
    }
}
