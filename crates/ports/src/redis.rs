//! Redis: commands, replies, errors and connections.

/// One argument of a Redis command.
#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub enum Arg {
    /// Sent unchanged.
    Bytes(Vec<u8>),
    /// Sent as decimal digits.
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
    /// Null.
    Nil,
    /// A simple string, such as `OK`.
    Status(String),
    /// An integer.
    Int(i64),
    /// A bulk string.
    Bytes(Vec<u8>),
}

impl Reply {
    /// The integer in this reply, whether Redis sent an integer or a bulk string of decimal digits.
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

/// Why a command failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedisError {
    /// No reply: the connection was refused or broke, or the reply was late. The command may have taken effect.
    #[error("Redis is unreachable: {0}")]
    Unreachable(String),
    /// Redis replied with an error (`WRONGTYPE …`, `OOM …`). The command had no effect.
    #[error("Redis refused the command: {0}")]
    Refused(String),
}

/// The most bytes of a reply that Spin and our host pass on.
pub const REPLY_MAX: usize = 128 * 1024 * 1024;

impl RedisError {
    /// How hosts begin the text of a refusal if a reply is larger than [`REPLY_MAX`].
    pub const TOO_LARGE: &str = "query result exceeds limit";
}

/// A Redis client whose concurrent calls may share one connection. So never send WATCH or MULTI through it.
pub trait Redis {
    /// Runs one command. Concurrent commands may reach the server in any order.
    fn execute(&self, command: &str, args: Vec<Arg>) -> impl Future<Output = Result<Vec<Reply>, RedisError>>;

    /// Makes the next command use a new connection. Called when a reply is overdue.
    fn reconnect(&self);
}

/// Opens dedicated connections, for WATCH and MULTI.
pub trait Connect: Redis + 'static {
    /// An open connection. Dropping it closes it.
    type Connection: Connection + 'static;

    /// Opens a connection to the same server and database that [`Redis::execute`] uses.
    fn connect(&self) -> impl Future<Output = Result<Self::Connection, RedisError>>;
}

/// A dedicated connection: it has one user at a time.
///
/// Concurrent commands may reach the server in any order. Usually it is the order of the calls. But when the host's
/// event loop is busy, tokio defers some of them (its cooperative budget) and later calls overtake. Where safety needs
/// an order, wait for the reply to one command before you send the next.
pub trait Connection {
    /// Runs one command. After [`RedisError::Unreachable`], or if this future was dropped before it returned, the state
    /// of the connection is unknown: do not use it again.
    fn execute(&self, command: &str, args: Vec<Arg>) -> impl Future<Output = Result<Vec<Reply>, RedisError>>;
}
