//! The problems of this service. Texts of the database go to the log only.

use http_api::{FieldError, Kind, Problem, precondition_failed};
use spin_adapter::cache::write_problem;
use versioned_cache::WriteError;

use crate::store::StoreError;

/// The user does not exist.
pub fn no_such_user(id: i64) -> Problem {
    Problem::new(Kind::NotFound, format!("There is no user {id}."))
}

/// A write to user `id` failed. For new users, which cannot be missing or have another version, `id` is not used.
pub fn write(error: WriteError<StoreError>, id: i64) -> Problem {
    write_problem(error, |error| match error {
        StoreError::NotFound => no_such_user(id),
        StoreError::VersionMismatch => precondition_failed(),
        StoreError::EmailTaken => email_conflict(vec![email_taken("/email")]),
        StoreError::Database(error) => error.into_write_problem(),
    })
}

/// Email addresses that belong to other users, or are duplicates in a batch.
pub fn email_conflict(errors: Vec<FieldError>) -> Problem {
    Problem::new(Kind::Conflict, "An email address can belong to one user only.").with_errors(errors)
}

/// The address at `pointer` belongs to another user.
pub fn email_taken(pointer: &str) -> FieldError {
    FieldError::at(pointer, "belongs to another user")
}
