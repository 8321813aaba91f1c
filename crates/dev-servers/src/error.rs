//! What can fail, with messages for the person at the terminal.

use std::path::PathBuf;

/// Why a server could not be started, stopped or prepared.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A server's program is not installed.
    #[error("{0} is not installed (looked in PATH and the usual folders)")]
    NotInstalled(&'static str),
    /// An environment variable names a program that does not exist.
    #[error("{variable} is set to {}, which is not a program", program.display())]
    NoProgram {
        /// The variable.
        variable: &'static str,
        /// Its value.
        program: PathBuf,
    },
    /// A file, a process or a socket failed.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried; follows the word "cannot".
        what: String,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// A program exited unexpectedly.
    #[error("{name} exited unexpectedly ({status}). The end of its output:\n{tail}")]
    Ended {
        /// The program.
        name: String,
        /// Its exit status.
        status: String,
        /// The last lines that it wrote.
        tail: String,
    },
    /// A server did not become ready, or did not stop, in time.
    #[error("{name} did not {what} within {seconds} s. The end of its output:\n{tail}")]
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
    /// PostgreSQL does not run as root, and there is no other account.
    #[error(
        "PostgreSQL refuses to run as root, and there is no user `postgres`: create it, or run this as another user"
    )]
    NoAccount,
    /// The account that a server runs as cannot enter its data folder.
    #[error("the user `postgres` cannot enter {0} (a parent folder is private)")]
    OutOfReach(PathBuf),
    /// The data folder belongs to another major version of PostgreSQL.
    #[error("{dir} was created by PostgreSQL {created_by}, which is not installed (installed: {found})")]
    WrongVersion {
        /// The data folder.
        dir: PathBuf,
        /// The major version that created it.
        created_by: String,
        /// The major versions that are installed.
        found: String,
    },
    /// The data folder has no passwords: an earlier version of this crate created it.
    #[error("the PostgreSQL data in {0} has no passwords, because an earlier version created it")]
    NoPassword(PathBuf),
    /// A connection to PostgreSQL or a statement failed.
    #[error("PostgreSQL: cannot {what}: {}", database_message(.source))]
    Database {
        /// What was tried; follows the word "cannot".
        what: String,
        /// PostgreSQL's error, or the connection's.
        source: tokio_postgres::Error,
    },
    /// The file of an applied migration was changed.
    #[error("migration {0} was changed after it was applied: undo the change and write a new migration")]
    MigrationChanged(String),
    /// The file of an applied migration was deleted.
    #[error("migration {0} was applied to this database, but its file is missing: restore the file")]
    MigrationMissing(String),
    /// No free port was found.
    #[error("no free port on 127.0.0.1")]
    NoPort,
}

impl Error {
    /// For `map_err`: adds what was tried to an operating system error.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        |source| Self::Io { what, source }
    }

    /// For `map_err`: adds what was tried to a PostgreSQL error.
    pub(crate) fn database(what: impl Into<String>) -> impl FnOnce(tokio_postgres::Error) -> Self {
        let what = what.into();
        |source| Self::Database { what, source }
    }
}

/// The server's message if there is one: the client's Display prints only "db error".
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
