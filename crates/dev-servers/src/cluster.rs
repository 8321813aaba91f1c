//! The databases of one PostgreSQL server.

use std::path::Path;

use tokio_postgres::Client;

use crate::Error;
use crate::migrations::{self, connect};

/// The database that [`Cluster::create_database`] copies.
const TEMPLATE: &str = "tumbler_template";

/// A running PostgreSQL server, given by the URL of one of its databases and a user that may create others.
#[derive(Clone, Debug)]
pub struct Cluster {
    url: String,
}

impl Cluster {
    /// The server at `url` (`postgres://user[:password]@host:port/database`). Does not connect yet.
    pub fn at(url: &str) -> Self {
        Self { url: url.into() }
    }

    /// The URL, with its password.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL of another database of this server.
    pub fn url_of(&self, database: &str) -> String {
        let (address, query) = self.url.split_once('?').map_or((self.url.as_str(), None), |(a, q)| (a, Some(q)));
        let authority = address.find("://").map_or(0, |scheme| scheme + 3);
        let end = address[authority..].find('/').map_or(address.len(), |slash| authority + slash);
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        format!("{}/{database}{query}", &address[..end])
    }

    /// Opens a connection to the database of the URL.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn connect(&self) -> Result<Client, Error> {
        Ok(connect(&self.url).await?.0)
    }

    /// Creates the template database, with the migrations in `folder`. [`Cluster::create_database`] copies it: call
    /// this once before.
    ///
    /// # Errors
    /// [`Error::Database`], or those of [`migrations::apply`].
    pub async fn prepare_template(&self, folder: &Path) -> Result<(), Error> {
        self.drop_database(TEMPLATE).await?;
        self.create_unless_exists("database", TEMPLATE, "").await?;
        migrations::apply(&self.url_of(TEMPLATE), folder).await.map(drop)
    }

    /// Creates a database with the migrations applied and empty tables; returns its URL.
    ///
    /// # Errors
    /// [`Error::Database`], also if the name is taken or [`Cluster::prepare_template`] was not called.
    pub async fn create_database(&self, name: &str) -> Result<String, Error> {
        let statement = format!("CREATE DATABASE {} TEMPLATE {TEMPLATE}", quoted(name));
        let client = self.connect().await?;
        client.batch_execute(&statement).await.map_err(Error::database(format!("create the database {name}")))?;
        Ok(self.url_of(name))
    }

    /// Drops a database if it exists, and closes the connections to it.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn drop_database(&self, name: &str) -> Result<(), Error> {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(name));
        let client = self.connect().await?;
        client.batch_execute(&statement).await.map_err(Error::database(format!("drop the database {name}")))
    }

    /// Creates an empty database that `owner` owns, unless it exists.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn ensure_database(&self, name: &str, owner: &str) -> Result<(), Error> {
        self.create_unless_exists("database", name, &format!("OWNER {}", quoted(owner))).await
    }

    /// Creates a role that may log in with a password of letters and digits, and create databases, unless it exists.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn ensure_role(&self, name: &str, password: &str) -> Result<(), Error> {
        self.create_unless_exists("role", name, &format!("LOGIN CREATEDB PASSWORD '{password}'")).await
    }

    /// `kind` is `database` or `role`.
    async fn create_unless_exists(&self, kind: &str, name: &str, options: &str) -> Result<(), Error> {
        let client = self.connect().await?;
        let failed = || Error::database(format!("create the {kind} {name}"));
        let found = if kind == "role" { "pg_roles WHERE rolname" } else { "pg_database WHERE datname" };
        let existing = client.query_opt(&format!("SELECT 1 FROM {found} = $1"), &[&name]).await;
        if existing.map_err(failed())?.is_none() {
            client.batch_execute(&format!("CREATE {kind} {} {options}", quoted(name))).await.map_err(failed())?;
        }
        Ok(())
    }
}

fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_of_another_database_keeps_everything_else() {
        let other = |url: &str| Cluster::at(url).url_of("x");
        assert_eq!(other("postgres://u:p@h:1/one?sslmode=disable"), "postgres://u:p@h:1/x?sslmode=disable");
        assert_eq!(other("postgres://u@h:1"), "postgres://u@h:1/x");
    }
}
