//! A transaction that takes effect only if a key has not changed since it was read: WATCH, MULTI, the command, EXEC
//! (<https://redis.io/docs/latest/develop/using-commands/transactions/>), on a dedicated connection.
//!
//! Safety does not depend on the order in which concurrent commands arrive:
//! - WATCH and MULTI are sent together. If MULTI arrives first, the server refuses WATCH.
//! - The caller reads the key after the reply to WATCH, on another connection.
//! - EXEC is sent after the reply that the command is queued.
//!
//! That makes three round trips. Two would be enough (WATCH and GET; MULTI, the command, EXEC) if commands arrived in
//! the order of the calls. On a busy host they do not: of a hundred pairs of commands that were sent at once, one third
//! arrived in the wrong order (see [`Connection`]). A DEL that arrives before its MULTI would delete a lock of any
//! holder.

use std::cell::RefCell;

use futures_util::future::join;

use crate::redis::{Arg, Connect, Connection, RedisError, Reply};

/// How many idle connections are kept.
const IDLE_MAX: usize = 8;

/// Dedicated connections that are idle and in no transaction. The one that was used last is taken first: the server is
/// least likely to have closed it.
pub(crate) type ConnectionPool<C> = RefCell<Vec<C>>;

/// An open transaction that watches a key. Dropping it before its end closes the connection.
pub struct WatchTransaction<'a, C> {
    pool: &'a ConnectionPool<C>,
    connection: C,
}

impl<'a, C: Connection> WatchTransaction<'a, C> {
    /// Begins a transaction on a connection from `pool`, or on a new one. From now on, EXEC fails if `key` changes. So
    /// read the key after this returned, on another connection.
    ///
    /// # Errors
    /// The server does not reply or refuses. Nothing was changed.
    pub(crate) async fn begin(
        redis: &impl Connect<Connection = C>,
        pool: &'a ConnectionPool<C>,
        key: &str,
    ) -> Result<WatchTransaction<'a, C>, RedisError> {
        let idle = pool.borrow_mut().pop();
        if let Some(connection) = idle {
            let watch = connection.execute("WATCH", vec![key.into()]);
            let begun = join(watch, connection.execute("MULTI", vec![])).await;
            if let (Ok(_), Ok(_)) = begun {
                return Ok(Self { pool, connection });
            }
            // The connection is broken, or MULTI arrived first. Nothing was changed, so try again on a new one.
        }
        let connection = redis.connect().await?;
        connection.execute("WATCH", vec![key.into()]).await?;
        connection.execute("MULTI", vec![]).await?;
        Ok(Self { pool, connection })
    }

    /// Adds a command.
    ///
    /// # Errors
    /// The command is not queued. Drop the transaction.
    pub async fn queue(&self, command: &str, args: Vec<Arg>) -> Result<(), RedisError> {
        match self.connection.execute(command, args).await?.as_slice() {
            [Reply::Status(status)] if status == "QUEUED" => Ok(()),
            other => Err(RedisError::Unreachable(format!("{command} was not queued: Redis replied {other:?}"))),
        }
    }

    /// Runs the queued commands. Returns their replies, or `None` if nothing took effect because the key has changed.
    /// Do not use it for a single command that may reply nil: that looks like `None`.
    ///
    /// # Errors
    /// [`RedisError::Unreachable`]: the commands may have taken effect.
    pub async fn exec(self) -> Result<Option<Vec<Reply>>, RedisError> {
        let replies = self.connection.execute("EXEC", vec![]).await?;
        self.keep_connection();
        Ok((replies != [Reply::Nil]).then_some(replies))
    }

    /// Drops the queued commands and keeps the connection for the next transaction.
    ///
    /// # Errors
    /// The connection is broken. The queued commands take no effect in this case either.
    pub async fn discard(self) -> Result<(), RedisError> {
        self.connection.execute("DISCARD", vec![]).await?;
        self.keep_connection();
        Ok(())
    }

    /// For the next transaction. Closes the connection if there are enough.
    fn keep_connection(self) {
        let mut idle = self.pool.borrow_mut();
        if idle.len() < IDLE_MAX {
            idle.push(self.connection);
        }
    }
}
