//! `spin:redis@3.0.0`: each connection that a component opens is a TCP connection of its own. Concurrent requests can
//! use one connection: their commands are pipelined, in the order of the calls. (As on Spin, tokio may delay one of two
//! concurrent commands when the task has used up its budget.)

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Cmd, ErrorKind, FromRedisValue, IntoConnectionInfo, RedisError, Value, cmd};
use wasmtime::component::{Accessor, Resource};

use super::bindings::spin::redis::redis::{
    Error, Host, HostConnection, HostConnectionWithStore, Payload, RedisParameter, RedisResult,
};
use super::state::{MAX_BUFFERED_BYTES, Spin, SpinState};
use super::{clients, redis_address};

type Result<T, E = Error> = std::result::Result<T, E>;
type Handle = Resource<MultiplexedConnection>;

impl Host for SpinState {}

impl HostConnection for SpinState {
    async fn drop(&mut self, handle: Handle) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}

fn other(message: impl Into<String>) -> Error {
    Error::Other(message.into())
}

/// Sends `command` on a connection and waits for the reply.
async fn query<T: Send, R: FromRedisValue>(accessor: &Accessor<T, Spin>, handle: Handle, command: &Cmd) -> Result<R> {
    // The store cannot be held while waiting. Cloning the handle is cheap.
    let open = accessor.with(|mut access| access.get().table.get(&handle).cloned());
    let mut open = open.map_err(|_| other("could not find connection for resource"))?;
    command.query_async(&mut open).await.map_err(|error| other(message_of(&error)))
}

fn too_large() -> Error {
    other(format!("query result exceeds limit of {MAX_BUFFERED_BYTES} bytes"))
}

impl<T: Send> HostConnectionWithStore<T> for Spin {
    async fn open(accessor: &Accessor<T, Self>, address: String) -> Result<Handle> {
        let shared = accessor.with(|mut access| access.get().shared.clone());
        if !redis_address::is_allowed(&shared.component.allowed_hosts, &address) {
            return Err(Error::InvalidAddress);
        }
        let info = address.into_connection_info().map_err(|_| Error::InvalidAddress)?;
        let client = clients::redis::client(info).map_err(|_| Error::InvalidAddress)?;
        // No timeouts, as in Spin: the component decides how long it waits.
        let config = AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
        let connection = client.get_multiplexed_async_connection_with_config(&config).await;
        let connection = connection.map_err(|error| other(message_of(&error)))?;
        accessor.with(|mut access| access.get().table.push(connection)).map_err(|_| Error::TooManyConnections)
    }

    async fn publish(accessor: &Accessor<T, Self>, handle: Handle, channel: String, payload: Payload) -> Result<()> {
        query(accessor, handle, cmd("PUBLISH").arg(channel).arg(payload)).await
    }

    async fn get(accessor: &Accessor<T, Self>, handle: Handle, key: String) -> Result<Option<Payload>> {
        let value: Option<Payload> = query(accessor, handle, cmd("GET").arg(key)).await?;
        if value.as_ref().is_some_and(|value| value.len() > MAX_BUFFERED_BYTES - size_of::<Option<Payload>>()) {
            return Err(too_large());
        }
        Ok(value)
    }

    async fn set(accessor: &Accessor<T, Self>, handle: Handle, key: String, value: Payload) -> Result<()> {
        query(accessor, handle, cmd("SET").arg(key).arg(value)).await
    }

    async fn incr(accessor: &Accessor<T, Self>, handle: Handle, key: String) -> Result<i64> {
        query(accessor, handle, cmd("INCRBY").arg(key).arg(1)).await
    }

    async fn del(accessor: &Accessor<T, Self>, handle: Handle, keys: Vec<String>) -> Result<u32> {
        query(accessor, handle, cmd("DEL").arg(keys)).await
    }

    async fn sadd(accessor: &Accessor<T, Self>, handle: Handle, key: String, values: Vec<String>) -> Result<u32> {
        query(accessor, handle, cmd("SADD").arg(key).arg(values)).await
    }

    async fn smembers(accessor: &Accessor<T, Self>, handle: Handle, key: String) -> Result<Vec<String>> {
        query(accessor, handle, cmd("SMEMBERS").arg(key)).await
    }

    async fn srem(accessor: &Accessor<T, Self>, handle: Handle, key: String, values: Vec<String>) -> Result<u32> {
        query(accessor, handle, cmd("SREM").arg(key).arg(values)).await
    }

    async fn execute(
        accessor: &Accessor<T, Self>,
        handle: Handle,
        command: String,
        arguments: Vec<RedisParameter>,
    ) -> Result<Vec<RedisResult>> {
        let mut command = cmd(&command);
        for argument in arguments {
            match argument {
                RedisParameter::Int64(number) => command.arg(number),
                RedisParameter::Binary(bytes) => command.arg(bytes),
            };
        }
        let mut results = Vec::new();
        flatten(query(accessor, handle, &command).await?, &mut results)?;
        let size = size_of::<Vec<RedisResult>>() + results.iter().map(memory_size).sum::<usize>();
        if size > MAX_BUFFERED_BYTES { Err(too_large()) } else { Ok(results) }
    }
}

/// Appends a reply to `results`: nested arrays and sets are flattened, maps are refused.
fn flatten(value: Value, results: &mut Vec<RedisResult>) -> Result<()> {
    let unsupported = |what: &str| Err(other(format!("Could not convert Redis response - TypeError: {what}")));
    results.push(match value {
        Value::Nil => RedisResult::Nil,
        Value::Int(number) => RedisResult::Int64(number),
        Value::Boolean(truth) => RedisResult::Int64(truth.into()),
        Value::BulkString(bytes) => RedisResult::Binary(bytes),
        Value::Double(number) => RedisResult::Binary(number.to_string().into_bytes()),
        Value::BigNumber(number) => RedisResult::Binary(number),
        Value::SimpleString(text) => RedisResult::Status(text),
        Value::Okay => RedisResult::Status("OK".to_owned()),
        Value::Array(values) | Value::Set(values) => {
            return values.into_iter().try_for_each(|value| flatten(value, results));
        }
        Value::Map(_) => return unsupported("Redis Map type is not supported"),
        Value::Attribute { .. } => return unsupported("Redis Attribute type is not supported"),
        Value::VerbatimString { .. } => return unsupported("Redis string with format attribute is not supported"),
        Value::Push { .. } => return unsupported("Redis Pub/Sub types are not supported"),
        unknown => return unsupported(&format!("{unknown:?}")),
    });
    Ok(())
}

/// The error's text as on Spin 4, whose client library (redis 0.32) has other texts for some errors.
fn message_of(error: &RedisError) -> String {
    use ::redis::ServerErrorKind as Kind;
    let detail = error.detail().unwrap_or_default();
    let name = match error.kind() {
        ErrorKind::Server(Kind::NoPerm) | ErrorKind::Extension => {
            return format!("{}: {detail}", error.code().unwrap_or_default());
        }
        ErrorKind::Server(Kind::ExecAbort) => "ExecAbortError".to_owned(),
        ErrorKind::Server(Kind::BusyLoading) => "BusyLoadingError".to_owned(),
        ErrorKind::Server(Kind::NoScript) => "NoScriptError".to_owned(),
        ErrorKind::Server(kind) => format!("{kind:?}"),
        _ => {
            let text = error.to_string();
            return match text.strip_prefix("Incompatible type - ") {
                Some(what) => format!("Response was of incompatible type - TypeError: {what}"),
                None => text,
            };
        }
    };
    if detail.is_empty() {
        format!("An error was signalled by the server- {name}")
    } else {
        format!("An error was signalled by the server - {name}: {detail}")
    }
}

fn memory_size(result: &RedisResult) -> usize {
    let payload = match result {
        RedisResult::Nil | RedisResult::Int64(_) => 0,
        RedisResult::Binary(bytes) => bytes.len(),
        RedisResult::Status(text) => text.len(),
    };
    size_of::<RedisResult>() + payload
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(value: Value) -> Result<Vec<RedisResult>, String> {
        let mut results = Vec::new();
        match flatten(value, &mut results) {
            Ok(()) => Ok(results),
            Err(Error::Other(message)) => Err(message),
            Err(error) => Err(format!("{error:?}")),
        }
    }

    #[test]
    fn replies_are_flattened() {
        let nested = Value::Array(vec![
            Value::Int(1),
            Value::Array(vec![Value::Nil, Value::BulkString(b"x".to_vec())]),
            Value::Set(vec![Value::Boolean(true), Value::Double(1.5)]),
            Value::Okay,
            Value::SimpleString("QUEUED".into()),
        ]);
        let text = format!("{:?}", flat(nested).expect("supported"));
        assert_eq!(
            text,
            "[RedisResult::Int64(1), RedisResult::Nil, RedisResult::Binary([120]), RedisResult::Int64(1), \
             RedisResult::Binary([49, 46, 53]), RedisResult::Status(\"OK\"), RedisResult::Status(\"QUEUED\")]"
        );
    }

    #[test]
    fn maps_are_refused_with_spins_text() {
        let error = flat(Value::Array(vec![Value::Map(Vec::new())])).expect_err("refused");
        assert_eq!(error, "Could not convert Redis response - TypeError: Redis Map type is not supported");
    }
}
