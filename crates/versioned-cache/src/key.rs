//! The names of the keys in Redis. All of them are made here, and they are part of the contract.
//!
//! | key | type | content |
//! |---|---|---|
//! | `user:version:{id}`, `users:version` | integer, TTL | the version of a user, of the list of users; every write adds to it. A user without a row has a name in place of the id |
//! | `user:cache:{id}-v{n}:{g}` | string, TTL | one user, byte for byte as the API responds, after a header if one is needed (`entry/form.rs`); empty: there is no such user |
//! | `users:cache:v{n}:{g}`, `users:cache:v{n}:{g}:{hash}` | string, TTL | the first page of the list; a filtered or later page |
//! | `user:writing:{id}`, `users:writing` | sorted set, TTL | marks (writes in flight): member = token, score = start in Unix ms |
//! | `cache:entry:{module}:{operation}:{name}` | string, TTL | a named entry: a line with its versions and its end (`entry/envelope.rs`), the value |
//! | `cache:version:{module}:{operation}:{name}` | integer, TTL | the version of a named entry |
//! | `cache:generation:{module}`, `cache:generation:{module}:{operation}` | integer, TTL | the generation of a module, of an operation |
//! | `cache:registry:{module}:{operation}`, `cache:registry:@user:{user}` | sorted set, TTL | what is cached for an operation, for a user: member = entry, score = its end in Unix ms |
//! | `cache:registry:…~{random}` | sorted set, TTL | a registry while its entries are being removed |
//! | `cache:operations` | sorted set, no TTL | the operations that have entries: member = `{module}:{operation}`, score = end of the last entry in Unix ms. Those whose names clients have chosen only while there is room (`invalidate/registry.rs`) |
//! | `cache:stats` | hash, no TTL | counters: field = `{module}:{operation}:{event}`; the events are `hits`, `misses`, `bypasses`, `collapsed`, `fills`, `corrupt`, `errors`, `verified`, `stale`, `graced`, `refreshed` |
//! | `cache:warm-up` | string, TTL | the cache service has filled `cache_warm_keys` less than a minute ago |
//! | `filling:{entry key}`, `filling:{entry key}-v{n}:{g}` | string, TTL | the lease of a scoped, of a named entry |
//!
//! `{n}` is the entry's own version, `{g}` a digest of its other versions (generations, a user's version). Both are
//! those that were current before the value was fetched. `{hash}` is a digest of the query. `user` and `users` stand
//! for any kind of rows. All keys may be deleted at any time: entries that depended on them are fetched again.

use std::borrow::Cow;
use std::fmt::Display;

/// What changes together: one bump of a scope's version makes all its entries outdated.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    kind: Cow<'static, str>,
    id: Option<i64>,
}

impl Scope {
    /// One row of a kind, such as user 42. The name of a kind must not contain a colon.
    pub fn item(kind: impl Into<Cow<'static, str>>, id: i64) -> Self {
        Self { kind: kind.into(), id: Some(id) }
    }

    /// A list, such as all users, with all its pages.
    pub fn list(kind: impl Into<Cow<'static, str>>) -> Self {
        Self { kind: kind.into(), id: None }
    }

    /// The list of users.
    pub(crate) fn users() -> Self {
        Self::list("users")
    }

    /// One user.
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

    /// The beginning of the keys of entries; the versions follow.
    pub(crate) fn entries(&self) -> String {
        // The versions have 32 bytes, and the hash of a query 33.
        let mut key = String::with_capacity(self.kind.len() + 96);
        key.push_str(&self.kind);
        key.push_str(":cache:");
        if let Some(id) = self.id {
            key.push_str(itoa::Buffer::new().format(id));
            key.push('-');
        }
        key.push('v');
        key
    }

    fn key(&self, what: &str) -> String {
        match self.id {
            Some(id) => [&self.kind, ":", what, ":", itoa::Buffer::new().format(id)].concat(),
            None => [&self.kind, ":", what].concat(),
        }
    }

    /// `{kind}:{id}`, the id empty for a list: see [`Scope::parse`].
    pub(crate) fn text(&self) -> String {
        format!("{}:{}", self.kind, self.id.map(|id| id.to_string()).unwrap_or_default())
    }

    /// Parses what [`Scope::text`] returns.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (kind, id) = text.split_once(':')?;
        let id = if id.is_empty() { None } else { Some(id.parse().ok()?) };
        Some(Self { kind: Cow::Owned(kind.to_owned()), id })
    }
}

/// The prefix of all keys of this crate, except for leases and for the entries, versions and marks of scopes.
pub(crate) const NAMESPACE: &str = "cache:";

/// The hash of counters.
pub(crate) const STATS: &str = "cache:stats";

/// The key of the version of a user without a row. `name` is not a number.
pub(crate) fn user_version(name: &str) -> String {
    ["user:version:", name].concat()
}

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

/// The prefix of the keys of all registries.
pub(crate) const REGISTRIES: &str = "cache:registry";

/// The key of the registry of an operation.
pub(crate) fn registry(module: &str, operation: &str) -> String {
    ["cache:registry:", module, ":", operation].concat()
}

/// The key of the registry of a user. No module is called `@user`, so it is not the registry of an operation.
pub(crate) fn user_registry(user: impl Display) -> String {
    format!("cache:registry:@user:{user}")
}

/// The sorted set of operations.
pub(crate) const OPERATIONS: &str = "cache:operations";

/// The key of the lease of a fill.
pub(crate) fn lease(fill_id: &str) -> String {
    ["filling:", fill_id].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_scopes_have_the_documented_names() {
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
    fn scopes_are_written_and_parsed() {
        for scope in [Scope::item("user", 42), Scope::item("user", -1), Scope::list("users")] {
            assert_eq!(Scope::parse(&scope.text()), Some(scope));
        }
        for other in ["user", "user:x", "user:1:2"] {
            assert_eq!(Scope::parse(other), None, "{other}");
        }
    }
}
