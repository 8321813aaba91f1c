//! The steps of a task and their outcomes.

use interleavings::{ConnectionId, Footprint, Transactions};
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

/// Adds the keys that a command touches. All arguments count as keys: too many do no harm.
fn touch(command: &str, args: &[Arg], footprint: &mut Footprint) {
    match command {
        // The simulated Redis keeps no counters.
        "HINCRBY" => {}
        "SCAN" => footprint.add_everything(),
        "GET" | "MGET" | "PTTL" | "EXISTS" | "ZCOUNT" | "WATCH" => keys(args).for_each(|it| footprint.reads(it)),
        _ => keys(args).for_each(|it| footprint.writes(it)),
    }
}

fn keys(args: &[Arg]) -> impl Iterator<Item = (&'static str, &[u8])> {
    args.iter().filter_map(|arg| match arg {
        Arg::Bytes(bytes) => Some(key(bytes)),
        Arg::Int(_) => None,
    })
}

/// A key, as an object in footprints.
pub fn key(key: &[u8]) -> (&'static str, &[u8]) {
    ("key", key)
}

impl Step {
    /// Adds what it reads and changes in Redis and in the database.
    pub fn touch(&self, transactions: &Transactions<(String, Vec<Arg>)>, footprint: &mut Footprint) {
        match self {
            Self::Start => {}
            Self::Select => footprint.reads("row"),
            Self::Update => footprint.writes("row"),
            Self::Sleep(_) => footprint.writes("clock"),
            Self::Redis(command, args) => touch(command, args, footprint),
            Self::OnDedicated(connection, command, args) => match command.as_str() {
                "EXEC" => {
                    transactions.watched(*connection).for_each(|it| footprint.reads(key(it.as_bytes())));
                    let queued = transactions.queued(*connection);
                    queued.iter().for_each(|(command, args)| touch(command, args, footprint));
                }
                "MULTI" | "DISCARD" => {}
                _ if transactions.is_queueing(*connection) => {}
                _ => touch(command, args, footprint),
            },
        }
    }

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
