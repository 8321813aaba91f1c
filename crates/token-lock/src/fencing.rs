//! Fencing numbers (Kleppmann, *How to do distributed locking*, 2016). Each grant has a greater number than all earlier
//! grants of the resource. So the resource itself can refuse a holder whose lock has ended.
//!
//! A counter in Redis gives the numbers: INCRBY adds one. If the counter is missing, it starts from the server's clock
//! in microseconds, in a transaction: WATCH the counter, *then* read the clock, then SET, EXEC.
//!
//! Why the first number is greater than all earlier ones:
//! - A resource is granted less than once per microsecond. So no number is ahead of the clock.
//! - If another client gets a number between WATCH and EXEC, EXEC fails. It does not matter how late EXEC arrives.
//!   Without WATCH, a delayed SET could write an old number after the counter was lost a second time.
//!
//! With several servers, a grant has the greatest number of its majority. The counters of the majority are raised to it,
//! and not further: they stay behind the greatest clock.
//!
//! INCRBY on a missing counter returns a small number. Numbers below [`SMALLEST`] are not valid: the counter was lost.
//!
//! A counter expires one day after it started, so unused resources leave nothing behind. An expired counter is a lost
//! one.

use futures_util::future::join;
use ports::{Connect, RedisError, Reply, Runtime};

use crate::quorum::{Server, Value};
use crate::resource::Resource;

/// The smallest valid number: the clock showed it in 2005.
const SMALLEST: u64 = 1 << 50;
/// Numbers below this are exact in JSON (RFC 8259, section 6). The clock reaches it in 2255.
const LIMIT: u64 = 1 << 53;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

impl<R: Connect, T: Runtime> Server<R, T> {
    /// The next number: greater than all that this server returned before. Only the holder of the lock may call this.
    /// Otherwise another client could be granted the lock later and have a smaller number.
    pub(crate) async fn next_fencing(&self, resource: &Resource) -> Result<u64, RedisError> {
        let key = resource.fencing_key();
        loop {
            if let Some(number) = self.increment(&key).await? {
                return Ok(number);
            }
            if let Some(number) = self.start(&key).await? {
                return Ok(number);
            }
        }
    }

    /// Raises the counter so that the next number is greater than `least`. `drawn` is the number that
    /// [`Server::next_fencing`] returned on this server. Returns whether the counter has reached `least`.
    ///
    /// In a transaction, so that the counter gets exactly `least`. A holder whose lock has ended may raise the same
    /// counter at the same time. If both differences were added, the counter would be ahead of the clock.
    pub(crate) async fn raise_fencing(&self, resource: &Resource, drawn: u64, least: u64) -> Result<bool, RedisError> {
        if drawn >= least {
            return Ok(true);
        }
        let key = resource.fencing_key();
        loop {
            let watched = self.client.watch(&key).await?;
            let number = match self.value_of(&key).await? {
                Value::Text(bytes) => number(&Reply::Bytes(bytes)),
                _ => None,
            };
            let Some(number) = number.filter(|number| *number < least) else {
                watched.discard().await?;
                return Ok(number.is_some());
            };
            watched.queue("INCRBY", vec![key.as_str().into(), ((least - number) as i64).into()]).await?;
            if watched.exec().await?.is_some() {
                return Ok(true);
            }
        }
    }

    /// Adds one to the counter and returns the sum; `None` if the counter was lost. If the reply is lost, the client
    /// repeats INCRBY: that leaves a gap, which is harmless.
    async fn increment(&self, key: &str) -> Result<Option<u64>, RedisError> {
        match self.client.send_one("INCRBY", vec![key.into(), 1_i64.into()]).await {
            Ok(reply) => Ok(number(&reply)),
            // Another program wrote something that is not an integer.
            Err(RedisError::Refused(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Starts the counter from the clock; `None` if another client has started it. Two clients that start it at the
    /// same time conflict at most once: neither adds to it before one of them has started it.
    async fn start(&self, key: &str) -> Result<Option<u64>, RedisError> {
        loop {
            let watched = self.client.watch(key).await?;
            let (value, clock_us) = join(self.value_of(key), self.clock_us()).await;
            if let Value::Text(bytes) = value?
                && number(&Reply::Bytes(bytes)).is_some()
            {
                watched.discard().await?;
                return Ok(None);
            }
            let number = clock_us?;
            watched.queue("SET", vec![key.into(), (number as i64).into(), "PX".into(), DAY_MS.into()]).await?;
            if watched.exec().await?.is_some() {
                return Ok(Some(number));
            }
        }
    }

    /// The server's clock in microseconds since the Unix epoch.
    async fn clock_us(&self) -> Result<u64, RedisError> {
        let replies = self.client.send("TIME", vec![]).await?;
        let us = match replies.as_slice() {
            [seconds, us] => seconds.as_int().zip(us.as_int()).map(|(seconds, us)| seconds * 1_000_000 + us),
            _ => None,
        };
        us.and_then(|us| u64::try_from(us).ok())
            .filter(is_valid)
            .ok_or_else(|| RedisError::Refused(format!("TIME replied {replies:?}, which is not a plausible time")))
    }
}

fn is_valid(number: &u64) -> bool {
    (SMALLEST..LIMIT).contains(number)
}

/// The number in a reply; `None` if the counter was lost or another program wrote there.
pub(crate) fn number(reply: &Reply) -> Option<u64> {
    reply.as_int().and_then(|number| u64::try_from(number).ok()).filter(is_valid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_values_and_other_texts_are_not_fencing_numbers() {
        for reply in [Reply::Nil, Reply::Int(1), Reply::Int(-1), Reply::Int(i64::MAX), Reply::Bytes(b"x".to_vec())] {
            assert_eq!(number(&reply), None, "{reply:?}");
        }
        assert_eq!(number(&Reply::Int(1_795_219_200_000_000)), Some(1_795_219_200_000_000));
        assert_eq!(number(&Reply::Bytes(b"1795219200000000".to_vec())), Some(1_795_219_200_000_000));
    }
}
