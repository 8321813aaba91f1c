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
use redis_port::{Arg, Connect, Connection, Redis, RedisError, Reply, Runtime};

use crate::server::Server;

/// How many connections are kept.
const MAX_IDLE: usize = 8;

/// A transaction that has been begun and watches a key. Dropped before its end, it closes its connection.
pub(crate) struct Watched<'a, R: Connect, T> {
    server: &'a Server<R, T>,
    connection: R::Connection,
}

impl<R: Redis + Connect, T: Runtime> Server<R, T> {
    /// Begins a transaction. Its EXEC takes effect only if `key` is as it was at some moment before this returned.
    pub(crate) async fn watch(&self, key: &str) -> Result<Watched<'_, R, T>, RedisError> {
        let idle = self.idle.borrow_mut().pop();
        if let Some(connection) = idle {
            let watch = connection.execute("WATCH", vec![key.into()]);
            let begun = join(watch, connection.execute("MULTI", vec![])).await;
            if let (Ok(_), Ok(_)) = begun {
                return Ok(Watched { server: self, connection });
            }
            // Broken meanwhile, or MULTI was first. Nothing has been asked of the server yet.
        }
        let connection = self.redis.connect().await?;
        connection.execute("WATCH", vec![key.into()]).await?;
        connection.execute("MULTI", vec![]).await?;
        Ok(Watched { server: self, connection })
    }
}

impl<R: Redis + Connect, T: Runtime> Watched<'_, R, T> {
    /// Adds a command.
    pub(crate) async fn queue(&self, command: &str, args: Vec<Arg>) -> Result<(), RedisError> {
        match self.connection.execute(command, args).await?.as_slice() {
            [Reply::Status(status)] if status == "QUEUED" => Ok(()),
            other => Err(RedisError::Unreachable(format!("{command} was not queued but answered {other:?}"))),
        }
    }

    /// Lets what was queued take effect; the replies, or `None` if nothing took effect since the key has changed.
    pub(crate) async fn exec(self) -> Result<Option<Vec<Reply>>, RedisError> {
        let replies = self.connection.execute("EXEC", vec![]).await?;
        self.keep();
        // A command whose own reply can be nil is never queued here.
        Ok((replies != [Reply::Nil]).then_some(replies))
    }

    /// Drops what was queued.
    pub(crate) async fn discard(self) -> Result<(), RedisError> {
        self.connection.execute("DISCARD", vec![]).await?;
        self.keep();
        Ok(())
    }

    fn keep(self) {
        let mut idle = self.server.idle.borrow_mut();
        if idle.len() < MAX_IDLE {
            idle.push(self.connection);
        }
    }
}
