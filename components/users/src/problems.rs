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

/// Members that only an administrator may change, by their pointers.
pub fn members_refused(pointers: &[&str]) -> Problem {
    let errors = pointers.iter().map(|pointer| FieldError::at(*pointer, "may be changed by an administrator only"));
    Problem::new(Kind::Forbidden, "Only an administrator may change these members.").with_errors(errors.collect())
}

/// Email addresses that belong to other users, or are duplicates in a batch.
pub fn email_conflict(errors: Vec<FieldError>) -> Problem {
    Problem::new(Kind::Conflict, "An email address can belong to one user only.").with_errors(errors)
}

/// The address at `pointer` belongs to another user.
pub fn email_taken(pointer: &str) -> FieldError {
    FieldError::at(pointer, "belongs to another user")
}
