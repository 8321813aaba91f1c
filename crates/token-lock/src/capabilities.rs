//! Which compare-and-delete and compare-and-set commands a server has.

use std::cell::Cell;

use futures_util::future::join3;
use ports::{Client, Connect, Redis, RedisError, Reply, Runtime};

use crate::token::Token;

/// How to delete a lock if it holds a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delete {
    /// `DELIFEQ key token`: Valkey 9 and later.
    DelIfEq,
    /// `DELEX key IFEQ token`: Redis 8.4 and later. Never without IFEQ: a bare DELEX deletes any value.
    DelexIfEq,
    /// WATCH and EXEC.
    Transaction,
}

/// How to set the TTL of a lock if it holds a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extend {
    /// `SET key token IFEQ token PX ttl`: Valkey 8.1, Redis 8.4 and later.
    SetIfEq,
    /// WATCH and EXEC.
    Transaction,
}

/// What a server supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capabilities {
    pub(crate) delete: Delete,
    pub(crate) extend: Extend,
}

/// The capabilities of one server, once they are known.
#[derive(Default)]
pub(crate) struct KnownCapabilities(Cell<Option<Capabilities>>);

impl KnownCapabilities {
    /// Asks the server once, and remembers the answer until [`KnownCapabilities::forget`].
    pub(crate) async fn get<R, T>(&self, client: &Client<R, T>) -> Result<Capabilities, RedisError>
    where
        R: Redis + Connect,
        T: Runtime,
    {
        if let Some(known) = self.0.get() {
            return Ok(known);
        }
        let (capabilities, is_certain) = probe(client).await?;
        if is_certain {
            self.0.set(Some(capabilities));
        }
        Ok(capabilities)
    }

    /// The server refused a command that it had: another server may have replaced it.
    pub(crate) fn forget(&self) {
        self.0.set(None);
    }
}

/// Sends each command once, on a key that does not exist, so that nothing changes. Returns also whether the result is
/// certain.
async fn probe<R: Redis + Connect, T: Runtime>(client: &Client<R, T>) -> Result<(Capabilities, bool), RedisError> {
    let nonce = Token::random(client.runtime());
    let (nonce, key) = (nonce.as_str(), format!("probe:{}", nonce.as_str()));
    let (del_if_eq, delex, set) = join3(
        client.send_one("DELIFEQ", vec![key.as_str().into(), nonce.into()]),
        client.send_one("DELEX", vec![key.as_str().into(), "IFEQ".into(), nonce.into()]),
        client.send_one(
            "SET",
            vec![key.as_str().into(), nonce.into(), "IFEQ".into(), nonce.into(), "PX".into(), 1_i64.into()],
        ),
    )
    .await;
    let delete = if is_supported(del_if_eq, &Reply::Int(0))? {
        Delete::DelIfEq
    } else if is_supported(delex, &Reply::Int(0))? {
        Delete::DelexIfEq
    } else {
        Delete::Transaction
    };
    // A server without free memory refuses SET before it reads the options.
    let is_full = matches!(&set, Err(RedisError::Refused(why)) if why.contains("OOM"));
    let extend = if is_supported(set, &Reply::Nil)? { Extend::SetIfEq } else { Extend::Transaction };
    Ok((Capabilities { delete, extend }, !is_full))
}

/// Whether the server replied as it does for a missing key.
fn is_supported(outcome: Result<Reply, RedisError>, missing: &Reply) -> Result<bool, RedisError> {
    match outcome {
        Ok(reply) => Ok(reply == *missing),
        Err(RedisError::Refused(_)) => Ok(false),
        Err(unreachable) => Err(unreachable),
    }
}
