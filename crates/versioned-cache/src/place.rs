//! Where an entry lives in Redis.

use crate::basis::Basis;
use crate::key::{self, Scope};

/// Where an entry lives.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// The version is part of the key: a hit gives the bytes of the answer, if the version is guessed rightly.
    Scoped { scope: Scope, suffix: String },
    /// The version is part of the value: one round trip, whatever is known before. `path` is
    /// `{module}:{operation}:{name}`.
    Named { path: String },
}

impl Place {
    /// The key of the version.
    pub(crate) fn version_key(&self) -> String {
        match self {
            Self::Scoped { scope, .. } => scope.version(),
            Self::Named { path } => key::named_version(path),
        }
    }

    /// The key under which the value is stored, fetched on this basis.
    pub(crate) fn entry_key(&self, basis: Basis) -> String {
        match self {
            Self::Scoped { scope, suffix } => format!("{}{basis}{suffix}", scope.entries()),
            Self::Named { path } => key::named_entry(path),
        }
    }

    pub(crate) fn is_named(&self) -> bool {
        matches!(self, Self::Named { .. })
    }
}
