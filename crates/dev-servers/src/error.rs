//! What can go wrong, in words for the person at the terminal.

use std::path::PathBuf;

/// Why a server could not be started, stopped or prepared.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A server's program is not installed.
    #[error("{0} is not installed (looked in PATH and the usual folders)")]
    NotInstalled(&'static str),
    /// An environment variable names a program that is not there.
    #[error("{variable} names {}, which is no program", program.display())]
    NoProgram {
        /// The variable.
        variable: &'static str,
        /// What it names.
        program: PathBuf,
    },
    /// The operating system refused something.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried, as it follows "cannot".
        what: String,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// A program ended when it should not have.
    #[error("{name} ended with {status}; the end of its output:\n{tail}")]
    Ended {
        /// The program.
        name: String,
        /// Its exit status.
        status: String,
        /// The last lines that it wrote.
        tail: String,
    },
    /// A server did not become ready, or did not stop, in time.
    #[error("{name} did not {what} within {seconds} s; the end of its output:\n{tail}")]
    TooSlow {
        /// The program.
        name: String,
        /// What was waited for.
        what: &'static str,
        /// How long, in seconds.
        seconds: u64,
        /// The last lines that it wrote.
        tail: String,
    },
    /// PostgreSQL never runs as root and no other account can be used.
    #[error("PostgreSQL refuses to run as root, and there is no user `postgres` to run it as")]
    NoAccount,
    /// The account that a server runs as cannot enter its data folder.
    #[error("the user `postgres` cannot enter {0} (a folder above it is private)")]
    OutOfReach(PathBuf),
    /// The data folder belongs to another major version of PostgreSQL.
    #[error("{dir} was made by PostgreSQL {made_by}, which is not installed (found: {found})")]
    WrongVersion {
        /// The data folder.
        dir: PathBuf,
        /// The major version that made it.
        made_by: String,
        /// The major versions that are installed.
        found: String,
    },
    /// PostgreSQL answered with an error.
    #[error("PostgreSQL: cannot {what}: {}", database_message(.source))]
    Database {
        /// What was tried, as it follows "cannot".
        what: String,
        /// PostgreSQL's answer.
        source: tokio_postgres::Error,
    },
    /// A migration that was already applied has another content now.
    #[error("migration {0} was changed after it had been applied: undo the change and write a new migration instead")]
    MigrationChanged(String),
    /// A migration that was applied is not in the folder any more.
    #[error("migration {0} was applied to this database, but its file is gone")]
    MigrationMissing(String),
    /// No free port was found.
    #[error("no free port on 127.0.0.1")]
    NoPort,
}

impl Error {
    /// For `map_err`: an operating system error with what was being done.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        |source| Self::Io { what, source }
    }

    /// For `map_err`: a PostgreSQL error with what was being done.
    pub(crate) fn database(what: impl Into<String>) -> impl FnOnce(tokio_postgres::Error) -> Self {
        let what = what.into();
        |source| Self::Database { what, source }
    }
}

/// The server's own message where there is one: the client's Display says only "db error".
fn database_message(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => db.to_string(),
        None => {
            let mut text = error.to_string();
            let mut cause = std::error::Error::source(error);
            while let Some(inner) = cause {
                text = format!("{text}: {inner}");
                cause = inner.source();
            }
            text
        }
    }
}
