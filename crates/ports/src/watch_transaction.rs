//! One command that takes effect only if a key has not changed since it was looked at: WATCH, MULTI, the command, EXEC
//! (<https://redis.io/docs/latest/develop/using-commands/transactions/>), on a connection that nobody else uses.
//!
//! Nothing relies on the order in which commands that are sent together arrive. WATCH and MULTI travel together, for the
//! server refuses a WATCH that comes second; what the caller wants to know of the key, it reads on another connection
//! after WATCH has been answered; EXEC follows the answer that the command is queued.
//!
//! That makes three round trips. Two would be enough (WATCH and GET; MULTI, the command, EXEC) if commands arrived in the
//! order of the calls. They do on a quiet host. On a busy one, tokio's budget for a turn of the event loop runs out, what
//! was called then waits for the next turn, and the last comes first: a hundred pairs of commands at once were seen to
//! arrive in the wrong order in a third of the cases. A DEL before its MULTI would delete anybody's lock.

use futures_util::future::join;

use crate::connection_pool::ConnectionPool;
use crate::{Arg, Connect, Connection, RedisError, Reply};

/// A transaction that has been begun and watches a key. Dropped before its end, it closes its connection.
pub struct WatchTransaction<'a, C> {
    pool: &'a ConnectionPool<C>,
    connection: C,
}

impl<'a, C: Connection> WatchTransaction<'a, C> {
    /// Begins a transaction on a connection from `pool`, or a new one. Its EXEC takes effect only if `key` is as it was
    /// at some moment before this returned: so look at it now, on another connection.
    ///
    /// # Errors
    /// The server does not answer, or refuses; nothing has happened then.
    pub async fn begin(
        redis: &impl Connect<Connection = C>,
        pool: &'a ConnectionPool<C>,
        key: &str,
    ) -> Result<WatchTransaction<'a, C>, RedisError> {
        if let Some(connection) = pool.take() {
            let watch = connection.execute("WATCH", vec![key.into()]);
            let begun = join(watch, connection.execute("MULTI", vec![])).await;
            if let (Ok(_), Ok(_)) = begun {
                return Ok(Self { pool, connection });
            }
            // Broken meanwhile, or MULTI was first. Nothing has been asked of the server yet.
        }
        let connection = redis.connect().await?;
        connection.execute("WATCH", vec![key.into()]).await?;
        connection.execute("MULTI", vec![]).await?;
        Ok(Self { pool, connection })
    }

    /// Adds a command.
    ///
    /// # Errors
    /// It is not queued, and nothing must be executed.
    pub async fn queue(&self, command: &str, args: Vec<Arg>) -> Result<(), RedisError> {
        match self.connection.execute(command, args).await?.as_slice() {
            [Reply::Status(status)] if status == "QUEUED" => Ok(()),
            other => Err(RedisError::Unreachable(format!("{command} was not queued but answered {other:?}"))),
        }
    }

    /// Lets what was queued take effect; the replies, or `None` if nothing took effect since the key has changed. Of a
    /// single command whose own reply is nil, that could not be told.
    ///
    /// # Errors
    /// [`RedisError::Unreachable`]: whether it took effect is unknown.
    pub async fn exec(self) -> Result<Option<Vec<Reply>>, RedisError> {
        let replies = self.connection.execute("EXEC", vec![]).await?;
        self.pool.keep(self.connection);
        Ok((replies != [Reply::Nil]).then_some(replies))
    }

    /// Drops what was queued.
    ///
    /// # Errors
    /// The connection is broken; nothing takes effect all the same.
    pub async fn discard(self) -> Result<(), RedisError> {
        self.connection.execute("DISCARD", vec![]).await?;
        self.pool.keep(self.connection);
        Ok(())
    }
}
