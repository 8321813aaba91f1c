//! From the host's errors to ours. The host passes on the SQLSTATE code of an error that the server reported. For an error
//! of its own client, such as a broken connection, it gives only a text: the debug form.

use spin_sdk::pg::{DbError, Error, PgError, QueryError};

use super::DatabaseError;

/// An error of opening a connection: no statement has been sent.
pub(super) fn opening(error: Error) -> DatabaseError {
    match error {
        Error::PgError(PgError::ConnectionFailed(text) | PgError::Other(text)) => {
            DatabaseError::Unavailable(without_backtrace(&text))
        }
        other => DatabaseError::Unavailable(format!("{other:?}")),
    }
}

/// An error of running a statement.
pub(super) fn running(error: Error) -> DatabaseError {
    match error {
        Error::PgError(PgError::QueryFailed(QueryError::DbError(error))) => reported_by_server(error),
        Error::PgError(PgError::QueryFailed(QueryError::Text(text))) => of_client(text),
        Error::PgError(PgError::ConnectionFailed(text)) => DatabaseError::ConnectionLost(text),
        Error::PgError(PgError::BadParameter(text) | PgError::ValueConversionFailed(text) | PgError::Other(text)) => {
            DatabaseError::Other(text)
        }
        Error::Decode(text) => DatabaseError::Other(text),
    }
}

/// Codes: PostgreSQL documentation, appendix A.
fn reported_by_server(error: DbError) -> DatabaseError {
    match error.code.as_str() {
        "23505" => DatabaseError::UniqueViolation { constraint: extra(&error, "constraint") },
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

fn extra(error: &DbError, name: &str) -> String {
    error.extras.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(code: &str) -> DatabaseError {
        running(Error::PgError(PgError::QueryFailed(QueryError::DbError(DbError {
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
        let client = |text: &str| running(Error::PgError(PgError::QueryFailed(QueryError::Text(text.to_owned()))));
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
        let error = opening(Error::PgError(PgError::ConnectionFailed(text)));
        assert_eq!(error, DatabaseError::Unavailable("refused\n\nCaused by:\n    0: why".to_owned()));
    }

    #[test]
    fn what_fails_while_opening_took_no_effect() {
        let refused = Error::PgError(PgError::ConnectionFailed("Connection refused (os error 111)".to_owned()));
        assert!(matches!(opening(refused), DatabaseError::Unavailable(_)));
        assert!(!opening(Error::PgError(PgError::Other("x".to_owned()))).may_still_commit());
    }
}
