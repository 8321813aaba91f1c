//! Compare-and-delete and compare-and-expire: what touches a lock after it was granted, and only if it holds the token.

use futures_util::future::join;
use redis_port::{Arg, Connect, Redis, RedisError, Reply, Runtime};

use crate::dialect::{Delete, Extend};
use crate::resource::Resource;
use crate::server::Server;
use crate::token::Token;

/// What a lock held when it was compared with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compared {
    /// The token: the command took effect.
    Same,
    /// Nothing.
    Absent,
    /// Something else.
    Different,
}

impl<R: Redis + Connect, T: Runtime> Server<R, T> {
    /// Deletes the lock if `token` holds it.
    pub(crate) async fn delete_if(&self, resource: &Resource, token: &Token) -> Result<Compared, RedisError> {
        let key = resource.key();
        let single = match self.dialect().await?.delete {
            Delete::DelIfEq => self.call("DELIFEQ", vec![key.as_str().into(), token.as_str().into()]).await,
            Delete::DelexIfEq => {
                self.call("DELEX", vec![key.as_str().into(), "IFEQ".into(), token.as_str().into()]).await
            }
            Delete::Transaction => return self.transact_if(&key, token, "DEL", vec![key.as_str().into()]).await,
        };
        self.compared(&key, single, &Reply::Int(1)).await
    }

    /// Lets the lock end `ttl_ms` from now if `token` holds it.
    pub(crate) async fn expire_if(
        &self,
        resource: &Resource,
        token: &Token,
        ttl_ms: u64,
    ) -> Result<Compared, RedisError> {
        let key = resource.key();
        let ttl = Arg::Int(ttl_ms as i64);
        if self.dialect().await?.extend == Extend::Transaction {
            return self.transact_if(&key, token, "PEXPIRE", vec![key.as_str().into(), ttl]).await;
        }
        let token = token.as_str();
        let set = vec![key.as_str().into(), token.into(), "IFEQ".into(), token.into(), "PX".into(), ttl];
        let outcome = self.call("SET", set).await;
        self.compared(&key, outcome, &Reply::Status("OK".to_owned())).await
    }

    /// What a single command's reply says. If it did nothing, the lock has to be looked at to tell why.
    async fn compared(
        &self,
        key: &str,
        outcome: Result<Reply, RedisError>,
        done: &Reply,
    ) -> Result<Compared, RedisError> {
        match outcome {
            Ok(reply) if reply == *done => return Ok(Compared::Same),
            Err(error) if !is_wrong_type(&error) => return Err(error),
            _ => {}
        }
        let exists = self.call("EXISTS", vec![key.into()]).await?;
        Ok(if exists == Reply::Int(0) { Compared::Absent } else { Compared::Different })
    }

    /// Runs `command`, whose reply is 1 if it did something, if `token` is the value of `key`.
    async fn transact_if(
        &self,
        key: &str,
        token: &Token,
        command: &str,
        args: Vec<Arg>,
    ) -> Result<Compared, RedisError> {
        loop {
            let watched = self.watch(key).await?;
            // The key is read while it is watched: had it changed by the time of EXEC, nothing would happen.
            let (value, queued) = join(self.value_of(key), watched.queue(command, args.clone())).await;
            queued?;
            let found = match value? {
                Value::Absent => Compared::Absent,
                Value::Text(bytes) if bytes == token.as_str().as_bytes() => match watched.exec().await?.as_deref() {
                    Some([Reply::Int(1)]) => return Ok(Compared::Same),
                    Some(_) => return Ok(Compared::Absent),
                    // It expired just now, or was changed: by whom, the next look tells.
                    None => continue,
                },
                Value::Text(_) | Value::Other => Compared::Different,
            };
            // What was found is true whatever becomes of the connection.
            let _ = watched.discard().await;
            return Ok(found);
        }
    }

    /// What `key` holds.
    pub(crate) async fn value_of(&self, key: &str) -> Result<Value, RedisError> {
        match self.call("GET", vec![key.into()]).await {
            Ok(Reply::Bytes(bytes)) => Ok(Value::Text(bytes)),
            Ok(_) => Ok(Value::Absent),
            Err(error) if is_wrong_type(&error) => Ok(Value::Other),
            Err(error) => Err(error),
        }
    }
}

/// The value of a key.
pub(crate) enum Value {
    Absent,
    Text(Vec<u8>),
    /// Something that is no string, so somebody else's.
    Other,
}

fn is_wrong_type(error: &RedisError) -> bool {
    matches!(error, RedisError::Refused(why) if why.contains("WRONGTYPE"))
}
