//! The steps of a task and the replies to them, as values that can be hashed for the digests of states.

use interleavings::ConnectionId;
use ports::{Arg, Reply};

/// One command that a task sends.
#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub struct Step {
    /// `None`: the shared connection.
    pub connection: Option<ConnectionId>,
    pub command: String,
    pub args: Vec<String>,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some((_, number)) = self.connection {
            write!(f, "[{number}] ")?;
        }
        write!(f, "{}", self.command)?;
        self.args.iter().try_for_each(|arg| write!(f, " {arg}"))
    }
}

/// The reply of a server.
#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub enum ServerReply {
    Nil,
    Status(&'static str),
    Int(i64),
    Bytes(String),
    Several(Vec<ServerReply>),
    Refused(&'static str),
    /// No reply: the client gives up.
    Lost,
}

/// An argument as text. The protocol sends UTF-8 only.
pub fn text(arg: Arg) -> String {
    match arg {
        Arg::Bytes(bytes) => String::from_utf8(bytes).expect("the protocol's arguments are UTF-8"),
        Arg::Int(number) => number.to_string(),
    }
}

impl ServerReply {
    /// The leaves, as a port returns them.
    pub fn flat(self) -> Vec<Reply> {
        match self {
            Self::Nil => vec![Reply::Nil],
            Self::Status(status) => vec![Reply::Status(status.to_owned())],
            Self::Int(number) => vec![Reply::Int(number)],
            Self::Bytes(text) => vec![Reply::Bytes(text.into_bytes())],
            Self::Several(replies) => replies.into_iter().flat_map(Self::flat).collect(),
            Self::Refused(_) | Self::Lost => panic!("{self:?} is an error"),
        }
    }
}
