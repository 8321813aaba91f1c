//! The steps of a task, and what they bring: values that can be hashed, for digests of states.

use interleavings::ConnectionId;
use ports::{Arg, RedisError, Reply};

#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub enum Step {
    /// The request arrives.
    Start,
    /// A command on the shared connection.
    Redis(String, Vec<ArgKey>),
    /// A command on a connection of one's own.
    OnOwn(ConnectionId, String, Vec<ArgKey>),
    /// `SELECT` of the row.
    Select,
    /// `UPDATE` of the row: its value grows by one.
    Update,
    Sleep(u64),
}

/// [`Arg`], hashable.
#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub enum ArgKey {
    Bytes(Vec<u8>),
    Int(i64),
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Redis(command, args) | Self::OnOwn(_, command, args) => {
                if let Some((_, number)) = self.connection() {
                    write!(f, "[{number}] ")?;
                }
                f.write_str(command)?;
                args.iter().try_for_each(|arg| match arg {
                    ArgKey::Bytes(bytes) => write!(f, " {}", String::from_utf8_lossy(bytes)),
                    ArgKey::Int(number) => write!(f, " {number}"),
                })
            }
            other => write!(f, "{other:?}"),
        }
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub enum Outcome {
    Done,
    Redis(Vec<ReplyKey>),
    Refused,
    /// Nobody knows whether the command took effect.
    Lost,
    Row(u64),
}

impl From<Result<Vec<Reply>, RedisError>> for Outcome {
    fn from(replies: Result<Vec<Reply>, RedisError>) -> Self {
        replies.map_or(Self::Refused, |replies| Self::Redis(replies.into_iter().map(ReplyKey::from).collect()))
    }
}

/// [`Reply`], hashable.
#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub enum ReplyKey {
    Nil,
    Status(String),
    Int(i64),
    Bytes(Vec<u8>),
}

impl From<Arg> for ArgKey {
    fn from(arg: Arg) -> Self {
        match arg {
            Arg::Bytes(bytes) => Self::Bytes(bytes),
            Arg::Int(number) => Self::Int(number),
        }
    }
}

impl ArgKey {
    pub fn to_arg(&self) -> Arg {
        match self {
            Self::Bytes(bytes) => Arg::Bytes(bytes.clone()),
            Self::Int(number) => Arg::Int(*number),
        }
    }
}

impl From<Reply> for ReplyKey {
    fn from(reply: Reply) -> Self {
        match reply {
            Reply::Nil => Self::Nil,
            Reply::Status(status) => Self::Status(status),
            Reply::Int(number) => Self::Int(number),
            Reply::Bytes(bytes) => Self::Bytes(bytes),
        }
    }
}

impl From<ReplyKey> for Reply {
    fn from(reply: ReplyKey) -> Self {
        match reply {
            ReplyKey::Nil => Self::Nil,
            ReplyKey::Status(status) => Self::Status(status),
            ReplyKey::Int(number) => Self::Int(number),
            ReplyKey::Bytes(bytes) => Self::Bytes(bytes),
        }
    }
}

/// Steps whose outcome and effect do not depend on when they happen: how long something lives, which is not simulated;
/// leases, which are always granted when steps are eager, for all that a lease can do is to make somebody wait; and the
/// version of the list; in a transaction, whatever happens between WATCH and EXEC.
pub fn commutes(step: &Step) -> bool {
    if let Step::OnOwn(_, command, _) = step {
        return !matches!(command.as_str(), "WATCH" | "EXEC");
    }
    matches!(step, Step::Redis(command, _) if matches!(command.as_str(), "PTTL" | "PEXPIRE" | "HINCRBY"))
        || is_lease(step)
        || is_registry(step)
        || is_list_version(step)
}

pub fn is_lease(step: &Step) -> bool {
    matches!(step.key(), Some(key) if key.starts_with(b"filling:"))
}

pub fn is_registry(step: &Step) -> bool {
    matches!(step.key(), Some(key) if key.starts_with(b"cache:registry:") || key == b"cache:operations")
}

/// Nobody reads a list here, so nobody reads its version.
pub fn is_list_version(step: &Step) -> bool {
    step.key() == Some(b"users:version")
}

impl Step {
    /// Whether it goes to Redis.
    pub fn is_command(&self) -> bool {
        matches!(self, Self::Redis(..) | Self::OnOwn(..))
    }

    /// The connection, if it is one of one's own.
    pub fn connection(&self) -> Option<ConnectionId> {
        match self {
            Self::OnOwn(connection, ..) => Some(*connection),
            _ => None,
        }
    }

    fn key(&self) -> Option<&[u8]> {
        match self {
            Self::Redis(_, args) => match args.first() {
                Some(ArgKey::Bytes(key)) => Some(key),
                _ => None,
            },
            _ => None,
        }
    }
}
