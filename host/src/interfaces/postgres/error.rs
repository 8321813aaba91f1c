//! Errors as components see them, with the fields that PostgreSQL sent.

use anyhow::anyhow;
use tokio_postgres::error::DbError as Report;

use crate::interfaces::bindings::spin::postgres::postgres::{DbError, Error, QueryError};
use crate::interfaces::state::MAX_BUFFERED_BYTES;

/// A failed statement.
pub fn query_failed(error: tokio_postgres::Error) -> Error {
    let as_text = format!("{error:?}");
    Error::QueryFailed(match error.as_db_error() {
        None => QueryError::Text(as_text),
        Some(report) => QueryError::DbError(DbError {
            as_text,
            severity: report.severity().to_owned(),
            code: report.code().code().to_owned(),
            message: report.message().to_owned(),
            detail: report.detail().map(str::to_owned),
            extras: extras(report),
        }),
    })
}

/// A failed statement of which only a text is known.
pub fn text(error: &anyhow::Error) -> Error {
    Error::QueryFailed(QueryError::Text(with_causes(error)))
}

/// The text of an error and its causes, in Spin's format.
pub fn with_causes(error: &anyhow::Error) -> String {
    let causes: Vec<String> = error.chain().skip(1).map(ToString::to_string).collect();
    match causes.as_slice() {
        [] => error.to_string(),
        [cause] => format!("{error}\n\nCaused by:\n    {cause}"),
        causes => {
            let numbered = causes.iter().enumerate().map(|(number, cause)| format!("\n    {number}: {cause}"));
            format!("{error}\n\nCaused by:{}", numbered.collect::<String>())
        }
    }
}

/// A result that is larger than [`MAX_BUFFERED_BYTES`].
pub fn too_large() -> Error {
    text(&anyhow!("query result exceeds limit of {MAX_BUFFERED_BYTES} bytes"))
}

fn extras(report: &Report) -> Vec<(String, String)> {
    let line = report.line().map(|line| line.to_string());
    [
        ("column", report.column()),
        ("constraint", report.constraint()),
        ("routine", report.routine()),
        ("hint", report.hint()),
        ("table", report.table()),
        ("datatype", report.datatype()),
        ("schema", report.schema()),
        ("file", report.file()),
        ("line", line.as_deref()),
        ("where_", report.where_()),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::with_causes;
    use anyhow::anyhow;

    #[test]
    fn causes_are_listed_if_there_are_any() {
        assert_eq!(with_causes(&anyhow!("top")), "top");
        assert_eq!(with_causes(&anyhow!("deep").context("top")), "top\n\nCaused by:\n    deep");
        let three = anyhow!("deepest").context("deep").context("top");
        assert_eq!(with_causes(&three), "top\n\nCaused by:\n    0: deep\n    1: deepest");
    }
}
