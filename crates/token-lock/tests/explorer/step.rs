//! The steps of a task, and what they bring: values that can be hashed, for digests of states.

use interleavings::ConnectionId;
use ports::{Arg, Reply};

/// One command on its way to a server.
#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub struct Step {
    pub server: usize,
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

/// What a server answers.
#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub enum Answer {
    Nil,
    Status(&'static str),
    Int(i64),
    Bytes(String),
    Several(Vec<Answer>),
    Refused(&'static str),
}

/// An argument as text: what the protocol sends is UTF-8.
pub fn text(arg: Arg) -> String {
    match arg {
        Arg::Bytes(bytes) => String::from_utf8(bytes).expect("the protocol's arguments are UTF-8"),
        Arg::Int(number) => number.to_string(),
    }
}

impl Answer {
    /// The leaves, as a port gives them.
    pub fn flat(self) -> Vec<Reply> {
        match self {
            Self::Nil => vec![Reply::Nil],
            Self::Status(status) => vec![Reply::Status(status.to_owned())],
            Self::Int(number) => vec![Reply::Int(number)],
            Self::Bytes(text) => vec![Reply::Bytes(text.into_bytes())],
            Self::Several(answers) => answers.into_iter().flat_map(Self::flat).collect(),
            Self::Refused(why) => panic!("{why} is an error"),
        }
    }
}
