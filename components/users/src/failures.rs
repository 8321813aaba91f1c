//! What clients are told when storing or reading users fails. Texts of the database go to the log only.

use problem::{FieldError, Kind, Problem};
use spin_adapter::database::DatabaseError;
use spin_adapter::http::Failure;
use versioned_cache::WriteError;

use crate::store::StoreError;

/// There is no such user.
pub fn no_such_user(id: i64) -> Failure {
    Problem::new(Kind::NotFound, format!("There is no user {id}.")).into()
}

/// The database failed a statement that changes nothing.
pub fn database(error: DatabaseError) -> Failure {
    unavailable(error, "The database is out of reach for now.")
}

fn unavailable(error: DatabaseError, detail: &str) -> Failure {
    if !error.is_temporary() {
        return Failure::internal(error);
    }
    eprintln!("{error}");
    Problem::new(Kind::Unavailable, detail).into()
}

/// A write to user `id` failed (or to new ones, which cannot be missing or in another version).
pub fn write(error: WriteError<StoreError>, id: i64) -> Failure {
    match error {
        WriteError::CacheUnavailable => Problem::new(
            Kind::Unavailable,
            "The cache is out of reach, and the service is set to write nothing then: nothing was changed.",
        )
        .into(),
        WriteError::Statement(StoreError::NotFound) => no_such_user(id),
        WriteError::Statement(StoreError::VersionMismatch) => Problem::new(
            Kind::PreconditionFailed,
            format!("If-Match does not name the current version of user {id} by a strong tag: read it again."),
        )
        .into(),
        WriteError::Statement(StoreError::EmailTaken) => email_conflict(vec![email_taken("/email")]),
        WriteError::Statement(StoreError::Database(error)) if error.may_still_commit() => {
            unavailable(error, "The database gave no answer in time; the change may or may not have taken effect.")
        }
        WriteError::Statement(StoreError::Database(error)) => database(error),
    }
}

/// Email addresses that belong to other users, or stand twice in a batch.
pub fn email_conflict(errors: Vec<FieldError>) -> Failure {
    Problem::new(Kind::Conflict, "An email address belongs to one user only.").with_errors(errors).into()
}

/// The address at `pointer` belongs to another user.
pub fn email_taken(pointer: &str) -> FieldError {
    FieldError::at(pointer, "belongs to another user")
}
