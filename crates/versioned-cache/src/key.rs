//! The names of the keys in Redis: the only place where they are made. They are part of the contract.
//!
//! | key | type | what |
//! |---|---|---|
//! | `user:version:{id}`, `users:version` | integer, no TTL | version of one user, of the list |
//! | `user:cache:{id}-v{n}:{g}`, `users:cache:v{n}:{g}[:{hash}]` | string, TTL | the cached answer, byte for byte; empty: "there is no such thing" |
//! | `user:writing:{id}`, `users:writing` | sorted set, TTL | writes in flight: member = token, score = start in Unix ms |
//! | `cache:entry:{module}:{operation}:{name}` | string, TTL | a named entry: its basis and its end, a line feed, the value |
//! | `cache:version:{module}:{operation}:{name}` | integer, TTL | the version of a named entry |
//! | `cache:generation:{module}`, `cache:generation:{module}:{operation}` | integer, no TTL | what a module's and an operation's entries hang on |
//! | `cache:registry:{module}:{operation}`, `cache:registry:user:{id}` | sorted set, TTL | what is cached: member = entry, score = its end in Unix ms |
//! | `cache:stats` | hash | counters, field `{module}:{operation}:{event}` |
//! | `filling:{entry key}` | string, TTL | the lease: somebody is filling this entry |
//!
//! `{n}` is the version, `{g}` a digest of the generations, both as they were before the value was fetched.

use std::borrow::Cow;

/// What changes as one: everything cached under a scope is outdated by one bump of its version.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    kind: Cow<'static, str>,
    id: Option<i64>,
}

impl Scope {
    /// One thing of a kind, such as user 42. A kind has no colon.
    pub fn item(kind: impl Into<Cow<'static, str>>, id: i64) -> Self {
        Self { kind: kind.into(), id: Some(id) }
    }

    /// A collection, such as the list of users with all its pages.
    pub fn list(kind: impl Into<Cow<'static, str>>) -> Self {
        Self { kind: kind.into(), id: None }
    }

    /// What is cached about or for one user.
    pub fn user(id: i64) -> Self {
        Self::item("user", id)
    }

    /// The key of the version.
    pub(crate) fn version(&self) -> String {
        self.key("version")
    }

    /// The key of the marks.
    pub(crate) fn writing(&self) -> String {
        self.key("writing")
    }

    /// What the keys of entries begin with; the version follows.
    pub(crate) fn entries(&self) -> String {
        match self.id {
            Some(id) => format!("{}:cache:{id}-v", self.kind),
            None => format!("{}:cache:v", self.kind),
        }
    }

    fn key(&self, what: &str) -> String {
        match self.id {
            Some(id) => format!("{}:{what}:{id}", self.kind),
            None => format!("{}:{what}", self.kind),
        }
    }

    /// `{kind}:{id}`, the id empty for a list: see [`Scope::parse`].
    pub(crate) fn text(&self) -> String {
        format!("{}:{}", self.kind, self.id.map(|id| id.to_string()).unwrap_or_default())
    }

    /// The scope that [`Scope::text`] gave.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (kind, id) = text.split_once(':')?;
        let id = if id.is_empty() { None } else { Some(id.parse().ok()?) };
        Some(Self { kind: Cow::Owned(kind.to_owned()), id })
    }
}

/// Everything below is the cache's and nothing else is, but the entries, versions and marks of scopes.
pub(crate) const NAMESPACE: &str = "cache:";

/// The hash of counters: field `{module}:{operation}:{event}`.
pub const STATS: &str = "cache:stats";

/// The key of a named entry; `path` is `{module}:{operation}:{name}`.
pub(crate) fn named_entry(path: &str) -> String {
    ["cache:entry:", path].concat()
}

/// The key of a named entry's version.
pub(crate) fn named_version(path: &str) -> String {
    ["cache:version:", path].concat()
}

/// The key of a module's generation.
pub(crate) fn module_generation(module: &str) -> String {
    ["cache:generation:", module].concat()
}

/// The key of an operation's generation.
pub(crate) fn operation_generation(module: &str, operation: &str) -> String {
    ["cache:generation:", module, ":", operation].concat()
}

/// The key of the registry of an operation.
pub(crate) fn registry(module: &str, operation: &str) -> String {
    ["cache:registry:", module, ":", operation].concat()
}

/// The key of the registry of what is cached for one user. No operation is called by a number, so this is no module's.
pub(crate) fn user_registry(id: i64) -> String {
    format!("cache:registry:@user:{id}")
}

/// The key of the registry of registries: member = `{module}:{operation}`, score = when its last entry ends, Unix ms.
pub(crate) const OPERATIONS: &str = "cache:operations";

/// The key that says that somebody is filling an entry; `flight` names the entry and what it hangs on.
pub(crate) fn lease(flight: &str) -> String {
    ["filling:", flight].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_contract() {
        let user = Scope::item("user", 42);
        assert_eq!(user, Scope::user(42));
        assert_eq!(
            [user.version(), user.writing(), user.entries()],
            ["user:version:42", "user:writing:42", "user:cache:42-v"]
        );
        let list = Scope::list("users");
        assert_eq!(
            [list.version(), list.writing(), list.entries()],
            ["users:version", "users:writing", "users:cache:v"]
        );
    }

    #[test]
    fn a_scope_is_what_its_text_says() {
        for scope in [Scope::item("user", 42), Scope::item("user", -1), Scope::list("users")] {
            assert_eq!(Scope::parse(&scope.text()), Some(scope));
        }
        for other in ["user", "user:x", "user:1:2"] {
            assert_eq!(Scope::parse(other), None, "{other}");
        }
    }
}
