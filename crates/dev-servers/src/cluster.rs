//! The databases of one PostgreSQL server, ours or somebody else's.

use std::path::Path;

use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};

use crate::{Error, migrations};

/// The database that [`Cluster::create_database`] copies.
const TEMPLATE: &str = "tumbler_template";

/// A PostgreSQL server, reached by the URL of one of its databases as a user that may create others.
#[derive(Clone, Debug)]
pub struct Cluster {
    url: String,
}

impl Cluster {
    /// The server that `url` (`postgres://user[:password]@host:port/database`) points at; nothing is connected yet.
    pub fn at(url: &str) -> Self {
        Self { url: url.into() }
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
        connect(&self.url).await
    }

    /// Makes the template that tests' databases are copied from, with the migrations in `folder`. Call it once, before
    /// the first [`Cluster::create_database`].
    ///
    /// # Errors
    /// [`Error::Database`], or those of [`migrations::apply`].
    pub async fn prepare_template(&self, folder: &Path) -> Result<(), Error> {
        self.drop_database(TEMPLATE).await?;
        self.ensure_database(TEMPLATE).await?;
        migrations::apply(&self.url_of(TEMPLATE), folder).await.map(drop)
    }

    /// Creates a database with the migrations applied and nothing in its tables; returns its URL.
    ///
    /// # Errors
    /// [`Error::Database`], also if the name is taken or [`Cluster::prepare_template`] was not called.
    pub async fn create_database(&self, name: &str) -> Result<String, Error> {
        let statement = format!("CREATE DATABASE {} TEMPLATE {TEMPLATE}", quoted(name));
        let client = self.connect().await?;
        client.batch_execute(&statement).await.map_err(Error::database(format!("create the database {name}")))?;
        Ok(self.url_of(name))
    }

    /// Drops a database, whoever is connected to it; none is no error.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn drop_database(&self, name: &str) -> Result<(), Error> {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(name));
        let client = self.connect().await?;
        client.batch_execute(&statement).await.map_err(Error::database(format!("drop the database {name}")))
    }

    /// Creates an empty database unless it is there.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn ensure_database(&self, name: &str) -> Result<(), Error> {
        let client = self.connect().await?;
        let failed = || Error::database(format!("create the database {name}"));
        let there = client.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&name]).await;
        if there.map_err(failed())?.is_none() {
            client.batch_execute(&format!("CREATE DATABASE {}", quoted(name))).await.map_err(failed())?;
        }
        Ok(())
    }
}

/// Opens a connection and drives it in a task of its own.
async fn connect(url: &str) -> Result<Client, Error> {
    Session::open(url).await.map(|session| session.client)
}

/// A connection that is known to have ended after [`Session::close`]: PostgreSQL copies no database that somebody is
/// connected to, and a task that closes the connection some time later may be starved.
pub(crate) struct Session {
    pub(crate) client: Client,
    task: JoinHandle<()>,
}

impl Session {
    pub(crate) async fn open(url: &str) -> Result<Self, Error> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.map_err(Error::database("connect"))?;
        // Its errors reach whoever uses the client.
        let task = tokio::spawn(async move { drop(connection.await) });
        Ok(Self { client, task })
    }

    pub(crate) async fn close(self) {
        drop(self.client);
        // The task neither panics nor is it cancelled.
        let _ = self.task.await;
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
