//! The problems of this service. Texts of the database go to the log only.

use http_api::{FieldError, Kind, Problem};
use spin_adapter::postgres::DatabaseError;
use versioned_cache::WriteError;

use crate::store::StoreError;

/// The user does not exist.
pub fn no_such_user(id: i64) -> Problem {
    Problem::new(Kind::NotFound, format!("There is no user {id}."))
}

/// A statement that changes nothing failed.
pub fn database(error: DatabaseError) -> Problem {
    unavailable(error, "The database is unavailable.")
}

fn unavailable(error: DatabaseError, detail: &str) -> Problem {
    if !error.is_temporary() {
        return Problem::internal(error);
    }
    eprintln!("{error}");
    Problem::new(Kind::Unavailable, detail)
}

/// A write to user `id` failed. For new users, which cannot be missing or have another version, `id` is not used.
pub fn write(error: WriteError<StoreError>, id: i64) -> Problem {
    match error {
        WriteError::CacheUnavailable => Problem::new(
            Kind::Unavailable,
            "The cache is unavailable, and the service is configured to reject writes then: nothing was changed.",
        ),
        WriteError::Statement(StoreError::NotFound) => no_such_user(id),
        WriteError::Statement(StoreError::VersionMismatch) => Problem::new(
            Kind::PreconditionFailed,
            format!("If-Match has no strong tag of the current version of user {id}: read the user again."),
        ),
        WriteError::Statement(StoreError::EmailTaken) => email_conflict(vec![email_taken("/email")]),
        WriteError::Statement(StoreError::Database(error)) if error.may_still_commit() => {
            unavailable(error, "The database did not answer in time; the change may or may not have taken effect.")
        }
        WriteError::Statement(StoreError::Database(error)) => database(error),
    }
}

/// Email addresses that belong to other users, or are duplicates in a batch.
pub fn email_conflict(errors: Vec<FieldError>) -> Problem {
    Problem::new(Kind::Conflict, "An email address can belong to one user only.").with_errors(errors)
}

/// The address at `pointer` belongs to another user.
pub fn email_taken(pointer: &str) -> FieldError {
    FieldError::at(pointer, "belongs to another user")
}
