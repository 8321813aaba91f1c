//! Why a statement gave no rows.

use std::fmt;
use std::time::Duration;

/// Why a statement gave no rows. The texts are for the log: they may tell of the inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseError {
    /// The server could not be reached, or does not take statements for now: nothing took effect.
    Unavailable(String),
    /// The connection broke while the statement ran: whether it took effect is unknown.
    ConnectionLost(String),
    /// No answer for this long: whether the statement took (or will take) effect is unknown.
    Overdue(Duration),
    /// The server gave up on the statement after its time limit: nothing took effect.
    Timeout,
    /// A unique index has these values already: nothing took effect.
    UniqueViolation {
        /// The name of the index or constraint.
        constraint: String,
    },
    /// Anything else: a fault in the statement, the schema or the data.
    Other(String),
}

impl DatabaseError {
    /// Whether the statement may still take effect after this error.
    pub fn may_still_commit(&self) -> bool {
        matches!(self, Self::ConnectionLost(_) | Self::Overdue(_))
    }

    /// Whether trying again later makes sense.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::ConnectionLost(_) | Self::Overdue(_) | Self::Timeout)
    }
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(why) => write!(f, "PostgreSQL is unavailable: {why}"),
            Self::ConnectionLost(why) => write!(f, "the connection to PostgreSQL broke: {why}"),
            Self::Overdue(after) => write!(f, "PostgreSQL gave no answer within {} ms", after.as_millis()),
            Self::Timeout => f.write_str("PostgreSQL cancelled the statement at its time limit"),
            Self::UniqueViolation { constraint } => write!(f, "the unique index {constraint} has these values already"),
            Self::Other(why) => write!(f, "the statement failed: {why}"),
        }
    }
}

impl std::error::Error for DatabaseError {}
