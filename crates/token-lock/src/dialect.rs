//! What this server has in the way of compare-and-delete and compare-and-set in one command.

use futures_util::future::join3;
use ports::{Connect, Redis, RedisError, Reply, Runtime};

use crate::server::Server;
use crate::token::Token;

/// How a lock is deleted if it holds a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delete {
    /// `DELIFEQ key token`: Valkey 9 and later.
    DelIfEq,
    /// `DELEX key IFEQ token`: Redis 8.4 and later. Never without IFEQ, for a bare DELEX deletes whatever is there.
    DelexIfEq,
    /// By WATCH and EXEC.
    Transaction,
}

/// How a lock that holds a token is given a new TTL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extend {
    /// `SET key token IFEQ token PX ttl`: Valkey 8.1, Redis 8.4 and later.
    SetIfEq,
    /// By WATCH and EXEC.
    Transaction,
}

/// What a server understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    pub(crate) delete: Delete,
    pub(crate) extend: Extend,
}

impl<R: Redis + Connect, T: Runtime> Server<R, T> {
    /// What the server understands: asked once, with commands that change nothing, on a key that nobody has. Once more
    /// after it has refused a command that it understood, for its place may have been taken by another server.
    pub(crate) async fn dialect(&self) -> Result<Dialect, RedisError> {
        if let Some(known) = self.dialect.get() {
            return Ok(known);
        }
        let (high, low) = self.random();
        let nonce = Token::from_random(high, low);
        let (nonce, key) = (nonce.as_str(), format!("probe:{}", nonce.as_str()));
        let (del_if_eq, delex, set) = join3(
            self.call("DELIFEQ", vec![key.as_str().into(), nonce.into()]),
            self.call("DELEX", vec![key.as_str().into(), "IFEQ".into(), nonce.into()]),
            self.call(
                "SET",
                vec![key.as_str().into(), nonce.into(), "IFEQ".into(), nonce.into(), "PX".into(), 1_i64.into()],
            ),
        )
        .await;
        let delete = if understood(del_if_eq, &Reply::Int(0))? {
            Delete::DelIfEq
        } else if understood(delex, &Reply::Int(0))? {
            Delete::DelexIfEq
        } else {
            Delete::Transaction
        };
        // A full server refuses SET before it looks at the options: whether it knows them, the next one asks.
        let is_full = matches!(&set, Err(RedisError::Refused(why)) if why.contains("OOM"));
        let extend = if understood(set, &Reply::Nil)? { Extend::SetIfEq } else { Extend::Transaction };
        let dialect = Dialect { delete, extend };
        if !is_full {
            self.dialect.set(Some(dialect));
        }
        Ok(dialect)
    }
}

/// Whether the command answered that there was nothing to do; an error that is not the server's own tells nothing.
fn understood(outcome: Result<Reply, RedisError>, nothing: &Reply) -> Result<bool, RedisError> {
    match outcome {
        Ok(reply) => Ok(reply == *nothing),
        Err(RedisError::Refused(_)) => Ok(false),
        Err(unreachable) => Err(unreachable),
    }
}
