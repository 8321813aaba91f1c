//! The few things the cache and lock protocols ask of a Redis client ([`Redis`]) and of the world around them
//! ([`Runtime`]): small enough that a simulation can stand in for both and try every interleaving.
//!
//! Replies are flat, as Spin's `execute` gives them: a nested array comes out as the sequence of its leaves.

use std::fmt;
use std::future::Future;

mod circuit_breaker;
mod client;
mod connection_pool;
#[cfg(feature = "native")]
pub mod native;
mod watch_transaction;

pub use client::{Client, ClientSettings};
pub use connection_pool::ConnectionPool;
pub use watch_transaction::WatchTransaction;

/// One argument of a Redis command.
#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub enum Arg {
    /// Sent as it is.
    Bytes(Vec<u8>),
    /// Sent in decimal.
    Int(i64),
}

impl From<&str> for Arg {
    fn from(text: &str) -> Self {
        Self::Bytes(text.as_bytes().to_vec())
    }
}

impl From<String> for Arg {
    fn from(text: String) -> Self {
        Self::Bytes(text.into_bytes())
    }
}

impl From<Vec<u8>> for Arg {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<i64> for Arg {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

/// One leaf of a Redis reply.
#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub enum Reply {
    /// Nothing there.
    Nil,
    /// A simple string, such as `OK`.
    Status(String),
    /// An integer.
    Int(i64),
    /// A bulk string.
    Bytes(Vec<u8>),
}

impl Reply {
    /// The integer that this reply holds, whether sent as an integer or in decimal; `None` for anything else.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
            Self::Nil | Self::Status(_) => None,
        }
    }

    /// The bytes of a bulk string; `None` for anything else.
    pub fn into_bytes(self) -> Option<Vec<u8>> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Nil | Self::Status(_) | Self::Int(_) => None,
        }
    }
}

/// Why a command gave no reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisError {
    /// No answer: refused, broken, or too slow. Whether the command took effect is unknown.
    Unreachable(String),
    /// The server answered with an error (`WRONGTYPE …`, `OOM …`): the command had no effect.
    Refused(String),
}

impl fmt::Display for RedisError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(f, "Redis is unreachable: {why}"),
            Self::Refused(why) => write!(f, "Redis refused the command: {why}"),
        }
    }
}

impl std::error::Error for RedisError {}

/// A Redis client whose concurrent calls may share one connection: never for WATCH or MULTI.
pub trait Redis {
    /// Runs one command. Calls that do not wait for one another may reach the server in any order.
    fn execute(&self, command: &str, args: Vec<Arg>) -> impl Future<Output = Result<Vec<Reply>, RedisError>>;

    /// Told when an answer is overdue: the next command should go through a new connection.
    fn reconnect(&self);
}

/// Opens connections of one's own, for WATCH and MULTI.
pub trait Connect {
    /// An open connection. Dropping it closes it.
    type Connection: Connection + 'static;

    /// Opens a connection to the same server and database as [`Redis::execute`] uses.
    fn connect(&self) -> impl Future<Output = Result<Self::Connection, RedisError>>;
}

/// A connection that nobody else uses.
///
/// Commands called side by side may reach the server in any order: the hosts of components send them in the order of the
/// calls as a rule, but not when tokio's budget for a turn of their event loop has run out. Where safety needs an order,
/// wait for the reply of one command before calling the next.
pub trait Connection {
    /// Runs one command. After [`RedisError::Unreachable`], or when the call was dropped before it returned, nobody knows
    /// what state the connection is in: it must not be used again.
    fn execute(&self, command: &str, args: Vec<Arg>) -> impl Future<Output = Result<Vec<Reply>, RedisError>>;
}

/// What the protocols need besides Redis: clocks, randomness, sleep, and work that outlives a request's answer.
pub trait Runtime {
    /// Wall-clock time in milliseconds since the Unix epoch.
    fn unix_ms(&self) -> u64;

    /// A clock in milliseconds that never goes back; only differences mean anything.
    fn monotonic_ms(&self) -> u64;

    /// 64 bits that nobody can guess.
    fn random_u64(&self) -> u64;

    /// Waits for `ms` milliseconds.
    fn sleep(&self, ms: u64) -> impl Future<Output = ()>;

    /// Starts work that need not be done before the current request is answered. It may be lost with the instance.
    fn spawn(&self, work: impl Future<Output = ()> + 'static);
}
