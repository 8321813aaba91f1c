//! Errors of connections and statements.
//!
//! The host passes on the SQLSTATE code of an error that the server reported. For an error of its own client, such as a
//! broken connection, it gives only a text: the debug form.

use std::time::Duration;

use http_api::{Kind, Problem};
use spin_sdk::pg::{DbError, Error, PgError, QueryError};

/// Why a statement failed. The texts are for the log: they may reveal internals.
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
    /// An error of opening a connection: no statement has been sent.
    pub(super) fn opening(error: Error) -> Self {
        match error {
            Error::PgError(PgError::ConnectionFailed(text) | PgError::Other(text)) => {
                Self::Unavailable(without_backtrace(&text))
            }
            other => Self::Unavailable(format!("{other:?}")),
        }
    }

    /// An error of running a statement.
    pub(super) fn running(error: Error) -> Self {
        match error {
            Error::PgError(PgError::QueryFailed(QueryError::DbError(error))) => reported_by_server(error),
            Error::PgError(PgError::QueryFailed(QueryError::Text(text))) => of_client(text),
            Error::PgError(PgError::ConnectionFailed(text)) => Self::ConnectionLost(text),
            Error::PgError(
                PgError::BadParameter(text) | PgError::ValueConversionFailed(text) | PgError::Other(text),
            ) => Self::Other(text),
            Error::Decode(text) => Self::Other(text),
        }
    }

    /// Whether the server refused a connection because it, the role or the database has too many. The host gives only a
    /// text (SQLSTATE 53300), which is in English unless the server's `lc_messages` says otherwise; then the refusal
    /// counts as an outage.
    pub(super) fn is_refused_connection(&self) -> bool {
        // "sorry, too many clients already", "too many connections for role …" and "for database …", "remaining
        // connection slots are reserved for …".
        const REFUSED: [&str; 3] = ["too many clients", "too many connections", "remaining connection slots"];
        matches!(self, Self::Unavailable(text) if REFUSED.iter().any(|sign| text.contains(sign)))
    }

    /// Whether the statement may still take effect after this error.
    pub fn may_still_commit(&self) -> bool {
        matches!(self, Self::ConnectionLost(_) | Self::Overdue(_))
    }

    /// Whether a later attempt may succeed.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::ConnectionLost(_) | Self::Overdue(_) | Self::Timeout)
    }

    /// The problem of a statement that reads. The error goes to the log.
    pub fn into_problem(self) -> Problem {
        self.problem("The database is unavailable.")
    }

    /// The problem of a statement that changes rows.
    pub fn into_write_problem(self) -> Problem {
        self.problem(if self.may_still_commit() {
            "The database did not answer in time; the change may or may not have taken effect."
        } else {
            "The database is unavailable."
        })
    }

    fn problem(&self, detail: &str) -> Problem {
        if !self.is_temporary() {
            return Problem::internal(self);
        }
        tracing::warn!(error = %self, "PostgreSQL is unavailable");
        Problem::new(Kind::Unavailable, detail)
    }
}

/// Codes: PostgreSQL documentation, appendix A.
fn reported_by_server(error: DbError) -> DatabaseError {
    match error.code.as_str() {
        "23505" => {
            let constraint = error.extras.into_iter().find(|(key, _)| key == "constraint");
            DatabaseError::UniqueViolation { constraint: constraint.map(|(_, name)| name).unwrap_or_default() }
        }
        "57014" => DatabaseError::Timeout,
        // admin_shutdown, crash_shutdown: the server rolled the statement back, or crashed.
        "57P01" | "57P02" => DatabaseError::ConnectionLost(error.message),
        // cannot_connect_now, read_only_sql_transaction (a standby), insufficient resources, connection exceptions.
        code if code == "57P03" || code == "25006" || code.starts_with("53") || code.starts_with("08") => {
            DatabaseError::Unavailable(error.message)
        }
        code => DatabaseError::Other(format!("{code}: {}", error.message)),
    }
}

/// Recognizes `Error { kind: Closed, … }` and `Error { kind: Io, … }`, and their `Display` forms.
fn of_client(text: String) -> DatabaseError {
    const BROKEN: [&str; 4] = ["kind: Closed", "kind: Io", "connection closed", "error communicating with the server"];
    if BROKEN.iter().any(|sign| text.contains(sign)) {
        DatabaseError::ConnectionLost(text)
    } else {
        DatabaseError::Other(text)
    }
}

/// Removes the host's stack trace, which it appends if it runs with `RUST_BACKTRACE`.
fn without_backtrace(text: &str) -> String {
    text.split("\n\nStack backtrace:").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(code: &str) -> DatabaseError {
        DatabaseError::running(Error::PgError(PgError::QueryFailed(QueryError::DbError(DbError {
            as_text: String::new(),
            severity: "ERROR".to_owned(),
            code: code.to_owned(),
            message: "why".to_owned(),
            detail: None,
            extras: vec![("constraint".to_owned(), "users_email_key".to_owned())],
        }))))
    }

    #[test]
    fn codes_of_the_server() {
        assert_eq!(server("23505"), DatabaseError::UniqueViolation { constraint: "users_email_key".to_owned() });
        assert_eq!(server("57014"), DatabaseError::Timeout);
        for code in ["57P03", "53300", "08006", "25006"] {
            assert_eq!(server(code), DatabaseError::Unavailable("why".to_owned()), "{code}");
        }
        assert!(server("57P01").may_still_commit());
        assert_eq!(server("42P01"), DatabaseError::Other("42P01: why".to_owned()));
    }

    #[test]
    fn texts_of_the_hosts_client() {
        let client = |text: &str| {
            DatabaseError::running(Error::PgError(PgError::QueryFailed(QueryError::Text(text.to_owned()))))
        };
        for broken in [
            "Error { kind: Closed, cause: None }",
            r#"Error { kind: Io, cause: Some(Os { code: 104, kind: ConnectionReset }) }"#,
        ] {
            assert!(matches!(client(broken), DatabaseError::ConnectionLost(_)), "{broken}");
        }
        let other = client("Error { kind: ToSql(0), cause: Some(WrongType) }");
        assert!(matches!(other, DatabaseError::Other(_)));
    }

    #[test]
    fn backtraces_of_the_host_are_left_out() {
        let text = "refused\n\nCaused by:\n    0: why\n\nStack backtrace:\n   0: main".to_owned();
        let error = DatabaseError::opening(Error::PgError(PgError::ConnectionFailed(text)));
        assert_eq!(error, DatabaseError::Unavailable("refused\n\nCaused by:\n    0: why".to_owned()));
    }

    #[test]
    fn a_server_with_too_many_connections_is_not_down() {
        let opening = |why: &str| {
            let text = format!("Error occurred while creating a new object: db error\n\nCaused by:\n    0: {why}");
            DatabaseError::opening(Error::PgError(PgError::ConnectionFailed(text))).is_refused_connection()
        };
        for why in [
            "FATAL: sorry, too many clients already",
            "FATAL: too many connections for role \"tumbler\"",
            "FATAL: too many connections for database \"tumbler\"",
            "FATAL: remaining connection slots are reserved for roles with the SUPERUSER attribute",
        ] {
            assert!(opening(why), "{why}");
        }
        for why in ["Connection refused (os error 111)", "FATAL: the database system is starting up"] {
            assert!(!opening(why), "{why}");
        }
    }

    #[test]
    fn what_fails_while_opening_took_no_effect() {
        let refused = Error::PgError(PgError::ConnectionFailed("Connection refused (os error 111)".to_owned()));
        assert!(matches!(DatabaseError::opening(refused), DatabaseError::Unavailable(_)));
        assert!(!DatabaseError::opening(Error::PgError(PgError::Other("x".to_owned()))).may_still_commit());
    }
}
