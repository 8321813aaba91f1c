//! Compare-and-delete and compare-and-expire: what touches a lock after it was granted, and only if it holds the token.

use futures_util::future::join;
use ports::{Arg, Connect, Redis, RedisError, Reply, Runtime};

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
        let (name, token_arg) = (|| Arg::from(key.as_str()), || Arg::from(token.as_str()));
        let single = match self.dialect().await?.delete {
            Delete::DelIfEq => Some(("DELIFEQ", vec![name(), token_arg()])),
            Delete::DelexIfEq => Some(("DELEX", vec![name(), "IFEQ".into(), token_arg()])),
            Delete::Transaction => None,
        };
        self.change_if(&key, token, single, ("DEL", vec![name()])).await
    }

    /// Lets the lock end `ttl_ms` from now if `token` holds it.
    pub(crate) async fn expire_if(
        &self,
        resource: &Resource,
        token: &Token,
        ttl_ms: u64,
    ) -> Result<Compared, RedisError> {
        let key = resource.key();
        let (name, token_arg) = (|| Arg::from(key.as_str()), || Arg::from(token.as_str()));
        let ttl = Arg::Int(ttl_ms as i64);
        let single = match self.dialect().await?.extend {
            Extend::SetIfEq => {
                Some(("SET", vec![name(), token_arg(), "IFEQ".into(), token_arg(), "PX".into(), ttl.clone()]))
            }
            Extend::Transaction => None,
        };
        self.change_if(&key, token, single, ("PEXPIRE", vec![name(), ttl])).await
    }

    /// Runs the command that compares by itself, or where the server has none, the other one in a transaction. In a
    /// transaction, too, if the server refuses the first: it may not be the server any more that said that it knows the
    /// command (and is asked again next time), or the key has no text.
    async fn change_if(
        &self,
        key: &str,
        token: &Token,
        single: Option<(&str, Vec<Arg>)>,
        (command, args): (&str, Vec<Arg>),
    ) -> Result<Compared, RedisError> {
        if let Some((command, args)) = single {
            match self.call(command, args).await {
                Ok(reply) if is_done(&reply) => return Ok(Compared::Same),
                Ok(_) => {
                    let exists = self.call("EXISTS", vec![key.into()]).await?;
                    return Ok(if exists == Reply::Int(0) { Compared::Absent } else { Compared::Different });
                }
                Err(RedisError::Refused(_)) => self.dialect.set(None),
                Err(unreachable) => return Err(unreachable),
            }
        }
        self.transact_if(key, token, command, args).await
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

/// What DELIFEQ, DELEX and SET answer when the key held the token.
fn is_done(reply: &Reply) -> bool {
    *reply == Reply::Int(1) || *reply == Reply::Status("OK".to_owned())
}

fn is_wrong_type(error: &RedisError) -> bool {
    matches!(error, RedisError::Refused(why) if why.contains("WRONGTYPE"))
}
