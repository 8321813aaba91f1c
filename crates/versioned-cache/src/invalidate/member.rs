//! The members of registries.

use ports::Reply;

use crate::entry::{Entry, EntryId};
use crate::key::{self, Scope};
use crate::user::User;

/// An entry as a registry knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub id: EntryId,
    pub module: String,
    pub operation: String,
    /// The user that a scoped entry belongs to: its key depends on the user's version.
    pub user: Option<User>,
}

impl Member {
    /// An entry of an operation.
    pub(crate) fn new(id: EntryId, module: impl Into<String>, operation: impl Into<String>) -> Self {
        Self { id, module: module.into(), operation: operation.into(), user: None }
    }

    pub(crate) fn of(entry: &Entry) -> Self {
        let user = entry.user.clone().filter(|_| !entry.is_named());
        Self { user, ..Self::new(entry.id.clone(), &*entry.module, &*entry.operation) }
    }

    /// The named entry with this path; `None`: this program does not write such a path.
    pub(crate) fn named(path: &str) -> Option<Self> {
        let (module, rest) = path.split_once(':')?;
        let (operation, _) = rest.split_once(':')?;
        Some(Self::new(EntryId::Named { path: path.to_owned() }, module, operation))
    }

    /// The member as Redis stores it: `@{module}:{operation}:{kind}:{id}{suffix}`; `+{user}:` in place of `@` for an
    /// entry that belongs to a user; or `={module}:{operation}:{name}` for a named entry.
    pub(crate) fn text(&self) -> String {
        match &self.id {
            EntryId::Scoped { scope, suffix } => {
                let owner = self.user.as_ref().map_or_else(|| "@".to_owned(), |user| format!("+{user}:"));
                format!("{owner}{}:{}:{}{suffix}", self.module, self.operation, scope.text())
            }
            EntryId::Named { path } => ["=", path].concat(),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix('=') {
            return Self::named(path);
        }
        let (user, rest) = match text.strip_prefix('+') {
            Some(owned) => {
                let (user, rest) = owned.split_once(':')?;
                (Some(User::parse(user)?), rest)
            }
            None => (None, text.strip_prefix('@')?),
        };
        let mut parts = rest.splitn(5, ':');
        let (module, operation) = (parts.next()?, parts.next()?);
        let scope = Scope::parse(&[parts.next()?, ":", parts.next()?].concat())?;
        let suffix = parts.next().map(|hash| [":", hash].concat()).unwrap_or_default();
        Some(Self { user, ..Self::new(EntryId::Scoped { scope, suffix }, module, operation) })
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
            keys.extend(self.user.as_ref().map(User::version));
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
        let of_user = Entry::new(&Scope::item("seller", 5), TTL).labelled("sellers", "getById").of_user(42);
        assert_eq!(Member::of(&of_user).text(), "+42:sellers:getById:seller:5");
        assert_eq!(Member::of(&of_user).version_keys(), of_user.version_keys());
        for entry in [user, list.clone(), list.query("limit=2"), named, of_user.clone(), of_user.query("private")] {
            let member = Member::parse(&Member::of(&entry).text()).expect("well-formed");
            assert_eq!((&member.id, &member.user), (&entry.id, &entry.user));
            assert_eq!((member.module.as_str(), member.operation.as_str()), (&*entry.module, &*entry.operation));
        }
        for other in ["", "x", "=a:b", "@a:b", "@a:b:user:x", "+a:b:user:1", "+x y:a:b:user:1"] {
            assert_eq!(Member::parse(other), None, "{other}");
        }
    }
}
