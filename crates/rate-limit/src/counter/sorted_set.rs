//! Counters as sorted sets with one member, which every server has. `ZADD … XX INCR` is the only increment in Redis
//! that does not create a key.

use ports::{Arg, Client, Connect, RedisError, Reply, Runtime};

use super::{Added, count};

/// The only member of the sorted set.
const MEMBER: &str = "n";

pub(super) async fn add<R: Connect, T: Runtime>(
    client: &Client<R, T>,
    key: &str,
    cost: u64,
    ttl_ms: i64,
) -> Result<Added, RedisError> {
    loop {
        let added = match client.send_one("ZADD", if_exists(key, cost as i64)).await? {
            Reply::Nil => create(client, key, cost, ttl_ms).await?,
            score => Some(count(&score)?),
        };
        if let Some(count) = added {
            return Ok(Added { count, is_counted: true });
        }
        // Another request has created the counter.
    }
}

pub(super) async fn subtract<R: Connect, T: Runtime>(
    client: &Client<R, T>,
    key: &str,
    cost: u64,
) -> Result<(), RedisError> {
    client.send("ZADD", if_exists(key, -(cost as i64))).await.map(drop)
}

pub(super) async fn read<R: Connect, T: Runtime>(client: &Client<R, T>, key: &str) -> Result<u64, RedisError> {
    match client.send_one("ZSCORE", vec![key.into(), MEMBER.into()]).await? {
        Reply::Nil => Ok(0),
        score => count(&score),
    }
}

/// Creates the counter with its TTL, in a transaction. `None`: nothing happened, because it exists now.
async fn create<R: Connect, T: Runtime>(
    client: &Client<R, T>,
    key: &str,
    cost: u64,
    ttl_ms: i64,
) -> Result<Option<u64>, RedisError> {
    let transaction = client.watch(key).await?;
    // One after the other: PEXPIRE before ZADD would find no key, and the counter would have no expiry.
    transaction.queue("ZADD", vec![key.into(), "INCR".into(), Arg::Int(cost as i64), MEMBER.into()]).await?;
    transaction.queue("PEXPIRE", vec![key.into(), ttl_ms.into()]).await?;
    match transaction.exec().await?.as_deref() {
        Some([score, Reply::Int(1)]) => count(score).map(Some),
        Some(other) => Err(RedisError::Refused(format!("the counter was not created: Redis replied {other:?}"))),
        None => Ok(None),
    }
}

/// The arguments of ZADD that change the counter only if it exists.
fn if_exists(key: &str, by: i64) -> Vec<Arg> {
    vec![key.into(), "XX".into(), "INCR".into(), by.into(), MEMBER.into()]
}
