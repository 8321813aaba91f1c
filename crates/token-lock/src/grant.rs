//! Taking a lock on one server.

use ports::{Connect, Redis, RedisError, Reply, Runtime};

use crate::compare::Value;
use crate::resource::Resource;
use crate::server::{Server, first};
use crate::token::Token;

/// What one server says to an attempt to acquire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vote {
    /// The lock is the token's, and this is the number drawn for it.
    Granted(u64),
    /// Somebody else holds it.
    Taken,
}

impl Vote {
    /// The number that was drawn, if it was granted.
    pub(crate) fn number(self) -> Option<u64> {
        match self {
            Self::Granted(number) => Some(number),
            Self::Taken => None,
        }
    }
}

impl<R: Redis + Connect, T: Runtime> Server<R, T> {
    /// Takes the lock, then draws the number.
    pub(crate) async fn grant(&self, resource: &Resource, token: &Token, ttl_ms: u64) -> Result<Vote, RedisError> {
        if !self.take(&resource.key(), token, ttl_ms).await? {
            return Ok(Vote::Taken);
        }
        self.draw(resource).await.map(Vote::Granted)
    }

    async fn take(&self, key: &str, token: &Token, ttl_ms: u64) -> Result<bool, RedisError> {
        let set = || {
            let ttl = (ttl_ms as i64).into();
            self.redis.execute("SET", vec![key.into(), token.as_str().into(), "NX".into(), "PX".into(), ttl])
        };
        let outcome = match set().await {
            Err(RedisError::Unreachable(_)) => set().await.map(|replies| (first(replies), true)),
            outcome => outcome.map(|replies| (first(replies), false)),
        };
        match outcome? {
            (Reply::Nil, false) => Ok(false),
            // Perhaps it was taken by the first attempt, whose answer was lost.
            (Reply::Nil, true) => {
                let value = self.value_of(key).await?;
                Ok(matches!(value, Value::Text(bytes) if bytes == token.as_str().as_bytes()))
            }
            _ => Ok(true),
        }
    }
}
