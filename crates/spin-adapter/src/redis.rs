//! Redis over Spin's host interface, on one connection per instance.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::SpinRuntime;
use ports::{Arg, Connect, Redis, RedisError, Reply, Runtime};
use spin_sdk::redis::{Connection, Error, RedisParameter, RedisResult};

/// A connection for one user, such as a WATCH transaction.
pub struct DedicatedConnection(Connection);

/// A Redis client for the concurrent requests of one instance. They and its clones share one connection, which is
/// opened on first use and again after a failure.
#[derive(Clone)]
pub struct SpinRedis(Rc<Shared>);

struct Shared {
    address: String,
    connection: RefCell<Option<Rc<Connection>>>,
    opening: Cell<bool>,
    /// Whether the last reply was late or did not come. The log says when this changes.
    is_unreachable: Rc<Cell<bool>>,
}

/// How often a request checks whether the connection that another request opens is ready.
const OPENING_POLL_MS: u64 = 1;

/// Held by the request that opens the connection; dropped also when that request is cancelled.
struct Opening<'a>(&'a Cell<bool>);

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl SpinRedis {
    /// A client for the server at `address` (`redis://[user:password@]host:port[/db]`). Does not connect yet.
    pub fn new(address: impl Into<String>) -> Self {
        Self::with_state(address.into(), Rc::default())
    }

    fn with_state(address: String, is_unreachable: Rc<Cell<bool>>) -> Self {
        let (connection, opening) = (RefCell::new(None), Cell::new(false));
        Self(Rc::new(Shared { address, connection, opening, is_unreachable }))
    }

    /// A client for the same server with a connection of its own.
    #[must_use]
    pub fn separate(&self) -> Self {
        Self::with_state(self.0.address.clone(), Rc::clone(&self.0.is_unreachable))
    }

    /// The connection; waits while another request opens it.
    async fn connection(&self) -> Result<Rc<Connection>, RedisError> {
        let _opening = loop {
            if let Some(connection) = self.0.connection.borrow().as_ref() {
                return Ok(Rc::clone(connection));
            }
            if !self.0.opening.replace(true) {
                break Opening(&self.0.opening);
            }
            // Requests of one instance are separate tasks, which cannot wake one another: so this one polls.
            SpinRuntime.sleep(OPENING_POLL_MS).await;
        };
        let opened = Rc::new(self.open().await?);
        Ok(Rc::clone(self.0.connection.borrow_mut().get_or_insert(opened)))
    }

    async fn open(&self) -> Result<Connection, RedisError> {
        Connection::open(&self.0.address).await.map_err(|error| match error {
            Error::InvalidAddress => RedisError::Unreachable(
                "the address is invalid, or not among the component's allowed_outbound_hosts".to_owned(),
            ),
            other => RedisError::Unreachable(text(&other)),
        })
    }

    fn note_unreachable(&self, reason: &str) {
        if !self.0.is_unreachable.replace(true) {
            tracing::warn!(reason, "Redis is unreachable");
        }
    }

    fn note_reachable(&self) {
        if self.0.is_unreachable.replace(false) {
            tracing::info!("Redis is reachable again");
        }
    }

    fn forget(&self, broken: &Rc<Connection>) {
        let mut kept = self.0.connection.borrow_mut();
        if kept.as_ref().is_some_and(|connection| Rc::ptr_eq(connection, broken)) {
            *kept = None;
        }
    }
}

impl Connect for SpinRedis {
    type Connection = DedicatedConnection;

    async fn connect(&self) -> Result<DedicatedConnection, RedisError> {
        self.open().await.map(DedicatedConnection)
    }
}

impl ports::Connection for DedicatedConnection {
    async fn execute(&self, command: &str, args: Vec<Arg>) -> Result<Vec<Reply>, RedisError> {
        run(&self.0, command, args).await
    }
}

impl Redis for SpinRedis {
    async fn execute(&self, command: &str, args: Vec<Arg>) -> Result<Vec<Reply>, RedisError> {
        let outcome = match self.connection().await {
            Ok(connection) => {
                let outcome = run(&connection, command, args).await;
                if matches!(outcome, Err(RedisError::Unreachable(_))) {
                    self.forget(&connection);
                }
                outcome
            }
            Err(error) => Err(error),
        };
        match &outcome {
            Err(RedisError::Unreachable(reason)) => self.note_unreachable(reason),
            _ => self.note_reachable(),
        }
        outcome
    }

    fn reconnect(&self) {
        self.0.connection.borrow_mut().take();
        self.note_unreachable("no reply in time");
    }
}

async fn run(connection: &Connection, command: &str, args: Vec<Arg>) -> Result<Vec<Reply>, RedisError> {
    let parameters = args.into_iter().map(|arg| match arg {
        Arg::Bytes(bytes) => RedisParameter::Binary(bytes),
        Arg::Int(number) => RedisParameter::Int64(number),
    });
    match connection.execute(command, parameters).await {
        Ok(results) => Ok(results.into_iter().map(reply).collect()),
        Err(error) if is_refusal(&error) => Err(RedisError::Refused(text(&error))),
        Err(error) => Err(RedisError::Unreachable(text(&error))),
    }
}

fn reply(result: RedisResult) -> Reply {
    match result {
        RedisResult::Nil => Reply::Nil,
        RedisResult::Status(status) => Reply::Status(status),
        RedisResult::Int64(number) => Reply::Int(number),
        RedisResult::Binary(bytes) => Reply::Bytes(bytes),
    }
}

fn text(error: &Error) -> String {
    match error {
        Error::InvalidAddress => "invalid address".to_owned(),
        Error::TooManyConnections => "too many connections".to_owned(),
        Error::TypeError => "wrong type".to_owned(),
        Error::Other(text) => text.clone(),
    }
}

/// Whether a command was refused because its reply is larger than the limit of hosts, or because its values are when
/// they are decompressed.
pub fn exceeds_limit(error: &RedisError) -> bool {
    matches!(error, RedisError::Refused(text) if unquoted(text).starts_with(RedisError::TOO_LARGE))
}

/// Whether the server refused the command, or the host refused the reply. Spin passes errors on as texts only. All
/// other errors (a broken connection, a server that is loading or has no master) count as unreachable.
fn is_refusal(error: &Error) -> bool {
    match error {
        Error::TypeError => true,
        Error::Other(text) => {
            let text = unquoted(text);
            ["WRONGTYPE", "OOM", "NOPERM"].iter().any(|code| text.starts_with(code))
                || text.contains("signalled by the server")
                || text.starts_with(RedisError::TOO_LARGE)
        }
        Error::InvalidAddress | Error::TooManyConnections => false,
    }
}

/// The text without the quotation mark that some hosts put at its beginning.
fn unquoted(text: &str) -> &str {
    text.trim_start_matches('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_refusals_of_the_server_are_refusals() {
        for refused in [
            "WRONGTYPE: Operation against a key holding the wrong kind of value",
            r#""WRONGTYPE": Operation against a key holding the wrong kind of value"#,
            "OOM: command not allowed when used memory > 'maxmemory'.",
            "NOPERM: this user has no permissions to run the 'delex' command",
            "An error was signalled by the server - ResponseError: value is not an integer or out of range",
            "query result exceeds limit of 134217728 bytes",
            r#""query result exceeds limit of 134217728 bytes""#,
        ] {
            assert!(is_refusal(&Error::Other(refused.to_owned())), "{refused}");
            assert_eq!(exceeds_limit(&RedisError::Refused(refused.to_owned())), refused.contains("query"));
        }
        for unreachable in ["Connection refused (os error 111)", "broken pipe", "LOADING: Redis is loading"] {
            assert!(!is_refusal(&Error::Other(unreachable.to_owned())), "{unreachable}");
        }
    }
}
