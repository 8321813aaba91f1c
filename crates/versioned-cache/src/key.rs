//! The names of the keys in Redis: the only place where they are made. They are part of the contract.
//!
//! | key | type | what |
//! |---|---|---|
//! | `user:version:{id}`, `users:version` | integer, no TTL | version of one user, of the list |
//! | `user:cache:{id}-v{n}`, `users:cache:v{n}[:{hash}]` | string, TTL | the cached answer, byte for byte; empty: "there is no such thing" |
//! | `user:writing:{id}`, `users:writing` | sorted set, TTL | writes in flight: member = token, score = start in Unix ms |
//! | `filling:{entry key}` | string, TTL | the lease: somebody is filling this entry |

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use crate::settings::Ttl;
use crate::version::Version;

/// What changes as one: everything cached under a scope is outdated by one bump of its version.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    kind: Cow<'static, str>,
    id: Option<i64>,
}

impl Scope {
    /// One thing of a kind, such as user 42.
    pub fn item(kind: impl Into<Cow<'static, str>>, id: i64) -> Self {
        Self { kind: kind.into(), id: Some(id) }
    }

    /// A collection, such as the list of users with all its pages.
    pub fn list(kind: impl Into<Cow<'static, str>>) -> Self {
        Self { kind: kind.into(), id: None }
    }

    /// The key of the version.
    pub(crate) fn version(&self) -> String {
        self.key("version")
    }

    /// The key of the marks.
    pub(crate) fn writing(&self) -> String {
        self.key("writing")
    }

    fn key(&self, what: &str) -> String {
        match self.id {
            Some(id) => format!("{}:{what}:{id}", self.kind),
            None => format!("{}:{what}", self.kind),
        }
    }
}

/// One cached answer: where it lives, how long, and what it counts as.
#[derive(Clone, Debug)]
pub struct Entry {
    pub(crate) scope: Scope,
    pub(crate) absent_guard: Option<Scope>,
    pub(crate) ttl: Ttl,
    pub(crate) module: &'static str,
    pub(crate) operation: &'static str,
    suffix: String,
}

impl Entry {
    /// The answer that stands for the whole scope.
    pub fn new(scope: &Scope, ttl: Ttl) -> Self {
        Self {
            scope: scope.clone(),
            absent_guard: None,
            ttl,
            module: "default",
            operation: "default",
            suffix: String::new(),
        }
    }

    /// One of several answers of the scope, told apart by `query` (in canonical form: equal questions, equal text).
    #[must_use]
    pub fn query(mut self, query: &str) -> Self {
        let digest = Sha256::digest(query.as_bytes());
        self.suffix = digest[..16].iter().fold(String::from(":"), |text, byte| text + &format!("{byte:02x}"));
        self
    }

    /// The module and operation under which hits and misses are counted.
    #[must_use]
    pub fn labelled(mut self, module: &'static str, operation: &'static str) -> Self {
        self.module = module;
        self.operation = operation;
        self
    }

    /// Stores "there is no such thing" only while no write that marks `guard` is in flight: creates mark the list,
    /// since they cannot mark what does not exist yet.
    #[must_use]
    pub fn absent_guard(mut self, guard: &Scope) -> Self {
        self.absent_guard = Some(guard.clone());
        self
    }

    /// The key of this entry under `version`.
    pub(crate) fn key(&self, version: Version) -> String {
        let (kind, version, suffix) = (&self.scope.kind, version.number(), &self.suffix);
        match self.scope.id {
            Some(id) => format!("{kind}:cache:{id}-v{version}{suffix}"),
            None => format!("{kind}:cache:v{version}{suffix}"),
        }
    }

    /// What stays the same over all versions.
    pub(crate) fn identity(&self) -> Identity {
        Identity { scope: self.scope.clone(), suffix: self.suffix.clone() }
    }
}

/// An entry, whatever its version.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    scope: Scope,
    suffix: String,
}

/// The key that says that somebody is filling the entry under `entry_key`.
pub(crate) fn lease_key(entry_key: &str) -> String {
    ["filling:", entry_key].concat()
}

/// The hash of counters: field `{module}:{operation}:{event}`.
pub const STATS: &str = "cache:stats";

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Ttl = Ttl { found_s: 300, absent_s: 30 };

    #[test]
    fn names_are_those_of_the_contract() {
        let version = Version::from_number(1 << 61).expect("in range");
        let user = Entry::new(&Scope::item("user", 42), TTL);
        assert_eq!(user.scope.version(), "user:version:42");
        assert_eq!(user.scope.writing(), "user:writing:42");
        assert_eq!(user.key(version), format!("user:cache:42-v{}", 1u64 << 61));
        let list = Entry::new(&Scope::list("users"), TTL);
        assert_eq!(list.scope.version(), "users:version");
        assert_eq!(list.key(version), format!("users:cache:v{}", 1u64 << 61));
        let page = list.query("limit=2");
        assert!(page.key(version).starts_with(&format!("users:cache:v{}:", 1u64 << 61)));
        assert_eq!(page.key(version).rsplit(':').next().map(str::len), Some(32));
    }

    #[test]
    fn different_queries_have_different_keys() {
        let list = Entry::new(&Scope::list("users"), TTL);
        assert_ne!(list.clone().query("limit=2").identity(), list.query("limit=3").identity());
    }
}
