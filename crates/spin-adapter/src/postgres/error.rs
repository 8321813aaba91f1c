//! Why a statement gave no rows.

use std::time::Duration;

/// Why a statement gave no rows. The texts are for the log: they may reveal internals.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseError {
    /// The server is unreachable, or accepts no statements for now: nothing took effect.
    #[error("PostgreSQL is unavailable: {0}")]
    Unavailable(String),
    /// The connection broke while the statement ran: whether it took effect is unknown.
    #[error("the connection to PostgreSQL broke: {0}")]
    ConnectionLost(String),
    /// No response for this long: whether the statement took (or will take) effect is unknown.
    #[error("PostgreSQL gave no response within {} ms", .0.as_millis())]
    Overdue(Duration),
    /// The server cancelled the statement at its time limit: nothing took effect.
    #[error("PostgreSQL cancelled the statement at its time limit")]
    Timeout,
    /// A unique index has these values already: nothing took effect.
    #[error("the unique index {constraint} has these values already")]
    UniqueViolation {
        /// The name of the index or constraint.
        constraint: String,
    },
    /// Anything else: an error in the statement, the schema or the data.
    #[error("the statement failed: {0}")]
    Other(String),
}

impl DatabaseError {
    /// Whether the statement may still take effect after this error.
    pub fn may_still_commit(&self) -> bool {
        matches!(self, Self::ConnectionLost(_) | Self::Overdue(_))
    }

    /// Whether a later attempt may succeed.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::ConnectionLost(_) | Self::Overdue(_) | Self::Timeout)
    }
}
