//! One connection to PostgreSQL.

use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};

use crate::Error;

/// A client and the task that drives its connection.
pub struct Connection {
    /// Sends the statements.
    pub client: Client,
    task: JoinHandle<()>,
}

impl Connection {
    /// Connects to the database at `url`.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn open(url: &str) -> Result<Self, Error> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.map_err(Error::database("connect"))?;
        // The client reports the connection's errors.
        let task = tokio::spawn(async move { drop(connection.await) });
        Ok(Self { client, task })
    }

    /// Closes the connection and waits until it is closed: PostgreSQL cannot copy a database that has connections.
    pub async fn close(self) {
        drop(self.client);
        // The task neither panics nor is it cancelled.
        let _ = self.task.await;
    }
}
