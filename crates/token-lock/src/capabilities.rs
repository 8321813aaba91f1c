//! Which compare-and-delete and compare-and-set commands a server has.

use futures_util::future::join3;
use ports::{Client, Connect, RedisError, Reply, Runtime};

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

/// What a server supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capabilities {
    pub(crate) delete: Delete,
    /// `SET key token IFEQ token PX ttl`: Valkey 8.1, Redis 8.4 and later.
    pub(crate) has_set_ifeq: bool,
}

/// Sends each command once, on a key that does not exist, so that nothing changes. Returns also whether the result is
/// certain.
pub(crate) async fn probe<R: Connect, T: Runtime>(client: &Client<R, T>) -> Result<(Capabilities, bool), RedisError> {
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
    Ok((Capabilities { delete, has_set_ifeq: is_supported(set, &Reply::Nil)? }, !is_full))
}

/// Whether the server replied as it does for a missing key.
fn is_supported(outcome: Result<Reply, RedisError>, missing: &Reply) -> Result<bool, RedisError> {
    match outcome {
        Ok(reply) => Ok(reply == *missing),
        Err(RedisError::Refused(_)) => Ok(false),
        Err(unreachable) => Err(unreachable),
    }
}
