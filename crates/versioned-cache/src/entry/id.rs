//! Which entry it is, and so where it is stored.

use super::versions::Versions;
use crate::key::{self, Scope};

/// Identifies an entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum EntryId {
    /// The versions are part of the key, so the value is the response body, byte for byte.
    Scoped { scope: Scope, suffix: String },
    /// The versions are part of the value, so the key is always known. `path` is `{module}:{operation}:{name}`.
    Named { path: String },
}

impl EntryId {
    /// The key of the entry's own version.
    pub(crate) fn version_key(&self) -> String {
        match self {
            Self::Scoped { scope, .. } => scope.version(),
            Self::Named { path } => key::named_version(path),
        }
    }

    /// The key of a value that was fetched under these versions.
    pub(crate) fn entry_key(&self, versions: Versions) -> String {
        match self {
            Self::Scoped { scope, suffix } => format!("{}{versions}{suffix}", scope.entries()),
            Self::Named { path } => key::named_entry(path),
        }
    }

    pub(crate) fn is_named(&self) -> bool {
        matches!(self, Self::Named { .. })
    }
}
