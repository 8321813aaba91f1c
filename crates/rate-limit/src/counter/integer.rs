//! Counters as integers, for servers with INCREX (<https://redis.io/docs/latest/commands/increx/>,
//! <https://valkey.io/commands/increx/>).
//!
//! Redis 8.8 and Valkey 9.2 reply with two numbers: the value, and what was added. If the value would leave the bounds,
//! nothing changes, no key is created, and the second number is 0. INCREX has no option XX. So a subtraction has the
//! lower bound 0, and creates no counter either.

use ports::{Client, Connect, RedisError, Reply, Runtime};

use super::{Added, count};

pub(super) async fn add<R: Connect, T: Runtime>(
    client: &Client<R, T>,
    key: &str,
    cost: u64,
    at_most: u64,
    ttl_ms: i64,
) -> Result<Added, RedisError> {
    let cost = cost as i64;
    let args = vec![
        key.into(),
        "BYINT".into(),
        cost.into(),
        "UBOUND".into(),
        (at_most as i64).into(),
        "PX".into(),
        ttl_ms.into(),
    ];
    let replies = client.send("INCREX", args).await?;
    match replies.as_slice() {
        [value, added] if added.as_int() == Some(cost) => Ok(Added { count: count(value)?, is_counted: true }),
        [value, added] if added.as_int() == Some(0) => Ok(Added { count: count(value)?, is_counted: false }),
        other => Err(RedisError::Refused(format!("INCREX: an unknown reply, {other:?}"))),
    }
}

pub(super) async fn subtract<R: Connect, T: Runtime>(
    client: &Client<R, T>,
    key: &str,
    cost: u64,
    ttl_ms: i64,
) -> Result<(), RedisError> {
    let by = -(cost as i64);
    let args = vec![key.into(), "BYINT".into(), by.into(), "LBOUND".into(), 0_i64.into(), "PX".into(), ttl_ms.into()];
    client.send("INCREX", args).await.map(drop)
}

pub(super) async fn read<R: Connect, T: Runtime>(client: &Client<R, T>, key: &str) -> Result<u64, RedisError> {
    match client.send_one("GET", vec![key.into()]).await? {
        Reply::Nil => Ok(0),
        value => count(&value),
    }
}
