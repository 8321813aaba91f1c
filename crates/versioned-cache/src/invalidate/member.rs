//! The members of registries.

use ports::Reply;

use crate::entry::{Entry, EntryId};
use crate::key::{self, Scope};

/// An entry as a registry knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub id: EntryId,
    pub module: String,
    pub operation: String,
}

impl Member {
    /// An entry of an operation.
    pub(crate) fn new(id: EntryId, module: impl Into<String>, operation: impl Into<String>) -> Self {
        Self { id, module: module.into(), operation: operation.into() }
    }

    pub(crate) fn of(entry: &Entry) -> Self {
        Self::new(entry.id.clone(), entry.module, entry.operation)
    }

    /// The named entry with this path; `None`: this program does not write such a path.
    pub(crate) fn named(path: &str) -> Option<Self> {
        let (module, rest) = path.split_once(':')?;
        let (operation, _) = rest.split_once(':')?;
        Some(Self::new(EntryId::Named { path: path.to_owned() }, module, operation))
    }

    /// The member as Redis stores it: `@{module}:{operation}:{kind}:{id}{suffix}`, or `={module}:{operation}:{name}` for a
    /// named entry.
    pub(crate) fn text(&self) -> String {
        match &self.id {
            EntryId::Scoped { scope, suffix } => {
                format!("@{}:{}:{}{suffix}", self.module, self.operation, scope.text())
            }
            EntryId::Named { path } => ["=", path].concat(),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix('=') {
            return Self::named(path);
        }
        let mut parts = text.strip_prefix('@')?.splitn(5, ':');
        let (module, operation) = (parts.next()?, parts.next()?);
        let scope = Scope::parse(&[parts.next()?, ":", parts.next()?].concat())?;
        let suffix = parts.next().map(|hash| [":", hash].concat()).unwrap_or_default();
        Some(Self::new(EntryId::Scoped { scope, suffix }, module, operation))
    }

    /// The member in a reply; `None`: another program wrote it.
    pub(crate) fn from_reply(reply: &Reply) -> Option<Self> {
        match reply {
            Reply::Bytes(bytes) => Self::parse(str::from_utf8(bytes).ok()?),
            _ => None,
        }
    }

    /// The name of a named entry, without its module and operation.
    pub(crate) fn name(&self) -> Option<&str> {
        match &self.id {
            EntryId::Scoped { .. } => None,
            EntryId::Named { path } => path.splitn(3, ':').nth(2),
        }
    }

    /// The keys of the versions that say which entry is current. Of a named entry its own version is enough: the other
    /// versions are in its value.
    pub(crate) fn version_keys(&self) -> Vec<String> {
        let mut keys = vec![self.id.version_key()];
        if !self.id.is_named() {
            keys.push(key::module_generation(&self.module));
            keys.push(key::operation_generation(&self.module, &self.operation));
        }
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Ttl;

    const TTL: Ttl = Ttl { found_s: 300, absent_s: 30 };

    #[test]
    fn members_are_written_and_parsed() {
        let user = Entry::new(&Scope::user(42), TTL).labelled("users", "getById").counted_as("getByIds");
        assert_eq!(Member::of(&user).text(), "@users:getById:user:42");
        let list = Entry::new(&Scope::list("users"), TTL).labelled("users", "list");
        assert_eq!(Member::of(&list).text(), "@users:list:users:");
        let named = Entry::named("kv", "get", "a:@b", TTL);
        assert_eq!(Member::of(&named).text(), "=kv:get:a:@b");
        for entry in [user, list.clone(), list.query("limit=2"), named] {
            let member = Member::parse(&Member::of(&entry).text()).expect("well-formed");
            assert_eq!(member.id, entry.id);
            assert_eq!((member.module.as_str(), member.operation.as_str()), (entry.module, entry.operation));
        }
        for other in ["", "x", "=a:b", "@a:b", "@a:b:user:x"] {
            assert_eq!(Member::parse(other), None, "{other}");
        }
    }
}
