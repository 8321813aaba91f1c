//! The steps of a task and their outcomes.

use interleavings::ConnectionId;
use ports::{Arg, RedisError, Reply};

#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub enum Step {
    /// The request arrives.
    Start,
    /// A command on the shared connection.
    Redis(String, Vec<Arg>),
    /// A command on a dedicated connection.
    OnDedicated(ConnectionId, String, Vec<Arg>),
    /// `SELECT` of the row.
    Select,
    /// `UPDATE` of the row: its value grows by one.
    Update,
    Sleep(u64),
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Redis(command, args) | Self::OnDedicated(_, command, args) => {
                if let Some((_, number)) = self.connection() {
                    write!(f, "[{number}] ")?;
                }
                f.write_str(command)?;
                args.iter().try_for_each(|arg| match arg {
                    Arg::Bytes(bytes) => write!(f, " {}", String::from_utf8_lossy(bytes)),
                    Arg::Int(number) => write!(f, " {number}"),
                })
            }
            other => write!(f, "{other:?}"),
        }
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub enum Outcome {
    Done,
    Redis(Vec<Reply>),
    Refused,
    /// There is no reply. The command may or may not have taken effect.
    Lost,
    Row(u64),
}

impl From<Result<Vec<Reply>, RedisError>> for Outcome {
    fn from(replies: Result<Vec<Reply>, RedisError>) -> Self {
        replies.map_or(Self::Refused, Self::Redis)
    }
}

/// Whether the outcome and the effect of a step do not depend on when it happens. Such steps are:
/// - TTLs, unless they are simulated (`ttls`);
/// - leases, which are always granted when steps are eager: a lease can only make a request wait;
/// - registries, and the version of the list;
/// - in a transaction, everything between WATCH and EXEC.
pub fn commutes(step: &Step, ttls: bool) -> bool {
    if let Step::OnDedicated(_, command, _) = step {
        return !matches!(command.as_str(), "WATCH" | "EXEC");
    }
    matches!(step, Step::Redis(command, _) if matches!(command.as_str(), "PTTL" | "HINCRBY"))
        || !ttls && matches!(step, Step::Redis(command, _) if command == "PEXPIRE")
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

/// No task reads the list, so no task reads its version.
pub fn is_list_version(step: &Step) -> bool {
    step.key() == Some(b"users:version")
}

impl Step {
    /// Whether it is sent to Redis.
    pub fn is_command(&self) -> bool {
        matches!(self, Self::Redis(..) | Self::OnDedicated(..))
    }

    /// The dedicated connection that it uses, if any.
    pub fn connection(&self) -> Option<ConnectionId> {
        match self {
            Self::OnDedicated(connection, ..) => Some(*connection),
            _ => None,
        }
    }

    fn key(&self) -> Option<&[u8]> {
        match self {
            Self::Redis(_, args) => match args.first() {
                Some(Arg::Bytes(key)) => Some(key),
                _ => None,
            },
            _ => None,
        }
    }
}
