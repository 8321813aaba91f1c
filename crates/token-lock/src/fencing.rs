//! Fencing numbers (Kleppmann, *How to do distributed locking*, 2016): each grant's is greater than those of all earlier
//! grants of the resource, so that the resource itself can refuse a holder who has been overtaken.
//!
//! The counter is an integer that INCR adds to. It starts, and starts anew whenever it was lost, from the server's clock
//! in microseconds, in a transaction: WATCH the counter, *then* read the clock, then SET, EXEC. Numbers never run ahead
//! of the clock, for a resource is granted less than once in a microsecond; and between WATCH and EXEC nobody draws a
//! number, or the transaction fails. So the number that it starts from is greater than all that were drawn before,
//! however late the EXEC arrives; without WATCH, an EXEC that was delayed could set an old number after a second loss.
//! What INCR makes of a lost counter is less than [`SMALLEST`], and is no number.
//!
//! The counter expires a day after it started, which is one way of being lost: resources that are not locked any more
//! leave nothing behind.

use futures_util::future::join;
use ports::{Connect, Redis, RedisError, Reply, Runtime};

use crate::compare::Value;
use crate::resource::Resource;
use crate::server::Server;

/// No number is smaller: this one would have been drawn in 2005.
const SMALLEST: u64 = 1 << 50;
/// JSON numbers are exact below (RFC 8259, section 6). The clock gets there in 2255.
const LIMIT: u64 = 1 << 53;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

impl<R: Redis + Connect, T: Runtime> Server<R, T> {
    /// A number that is greater than all that were drawn on this server before. To be drawn by the holder of the lock:
    /// before it is held, somebody else might get a later grant with a smaller number.
    pub(crate) async fn draw(&self, resource: &Resource) -> Result<u64, RedisError> {
        let key = resource.fencing_key();
        loop {
            if let Some(number) = self.add(&key, 1).await? {
                return Ok(number);
            }
            if let Some(number) = self.start(&key).await? {
                return Ok(number);
            }
        }
    }

    /// The number that the counter comes to; `None` if it was lost.
    async fn add(&self, key: &str, by: i64) -> Result<Option<u64>, RedisError> {
        match self.call("INCRBY", vec![key.into(), by.into()]).await {
            Ok(reply) => Ok(number(&reply)),
            // Somebody wrote something else there.
            Err(RedisError::Refused(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Starts the counter from the clock; `None` if somebody else has. Two who start it together hinder one another once,
    /// and not for ever: for neither adds to it again before one of them has done it.
    async fn start(&self, key: &str) -> Result<Option<u64>, RedisError> {
        loop {
            let watched = self.watch(key).await?;
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
        let replies = self.call_all("TIME", vec![]).await?;
        let us = match replies.as_slice() {
            [seconds, us] => seconds.as_int().zip(us.as_int()).map(|(seconds, us)| seconds * 1_000_000 + us),
            _ => None,
        };
        us.and_then(|us| u64::try_from(us).ok())
            .filter(is_number)
            .ok_or_else(|| RedisError::Refused(format!("TIME answered {replies:?}, which cannot be now")))
    }

    /// Lets the next number be greater than `least`, having drawn `drawn` here; answers whether it will be.
    pub(crate) async fn raise(&self, resource: &Resource, drawn: u64, least: u64) -> Result<bool, RedisError> {
        if drawn >= least {
            return Ok(true);
        }
        let raised = self.add(&resource.fencing_key(), (least - drawn) as i64).await?;
        Ok(raised.is_some_and(|number| number >= least))
    }
}

fn is_number(number: &u64) -> bool {
    (SMALLEST..LIMIT).contains(number)
}

/// The number in a reply; `None` if the counter was lost or somebody else wrote there.
pub(crate) fn number(reply: &Reply) -> Option<u64> {
    reply.as_int().and_then(|number| u64::try_from(number).ok()).filter(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remains_of_a_lost_counter_are_no_numbers() {
        for reply in [Reply::Nil, Reply::Int(1), Reply::Int(-1), Reply::Int(i64::MAX), Reply::Bytes(b"x".to_vec())] {
            assert_eq!(number(&reply), None, "{reply:?}");
        }
        assert_eq!(number(&Reply::Int(1_795_219_200_000_000)), Some(1_795_219_200_000_000));
        assert_eq!(number(&Reply::Bytes(b"1795219200000000".to_vec())), Some(1_795_219_200_000_000));
    }
}
