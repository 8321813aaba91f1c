//! The user that an entry belongs to.

use std::fmt;

use crate::key::{self, Scope};

/// A user, as entries, registries and invalidations name them. The user of a row has its id. Programs with other names
/// for their users, such as `user-123`, use these.
///
/// ```
/// use versioned_cache::User;
///
/// assert_eq!(User::new("42"), User::from(42));
/// assert_ne!(User::new("042"), User::from(42));
/// assert_eq!(User::new("a:b").to_string(), "a%3Ab");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct User(Name);

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Name {
    /// The id of a row: a write of the row is a change of this user.
    Id(i64),
    /// Any other name, as `Display` writes it. It is never a number.
    Escaped(String),
}

impl User {
    /// The user with this name. A whole number in its usual form is the id of a row.
    pub fn new(name: &str) -> Self {
        if let Some(id) = id_in(name) {
            return id.into();
        }
        let mut escaped = String::with_capacity(name.len());
        for byte in name.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => escaped.push(char::from(byte)),
                _ => escaped.push_str(&format!("%{byte:02X}")),
            }
        }
        Self(Name::Escaped(escaped))
    }

    /// Reads what `Display` writes; `None` for anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_escaped = |byte: u8| byte.is_ascii_alphanumeric() || b"-._%".contains(&byte);
        match id_in(text) {
            Some(id) => Some(id.into()),
            None => text.bytes().all(is_escaped).then(|| Self(Name::Escaped(text.to_owned()))),
        }
    }

    /// The scope of the user's row; `None`: the user has no row.
    pub(crate) fn scope(&self) -> Option<Scope> {
        match self.0 {
            Name::Id(id) => Some(Scope::user(id)),
            Name::Escaped(_) => None,
        }
    }

    /// The key of the version, which every change of the user replaces.
    pub(crate) fn version(&self) -> String {
        match &self.0 {
            Name::Id(id) => Scope::user(*id).version(),
            Name::Escaped(name) => key::user_version(name),
        }
    }
}

impl From<i64> for User {
    fn from(id: i64) -> Self {
        Self(Name::Id(id))
    }
}

impl fmt::Display for User {
    /// Letters, digits, `-`, `.`, `_` and `%`: every other byte is percent-encoded. Different users are written
    /// differently, so no name can imitate the keys of another user.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Name::Id(id) => write!(f, "{id}"),
            Name::Escaped(name) => f.write_str(name),
        }
    }
}

/// The number that `text` writes as `Display` does: `7`, but not `07`, `+7` or `-0`.
fn id_in(text: &str) -> Option<i64> {
    let id: i64 = text.parse().ok()?;
    (id.to_string() == text).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_and_parsed() {
        for name in ["user-123", "42", "-7", "042", "a:b", "ä~", "%41", "", "*", "9223372036854775808", "A b"] {
            let user = User::new(name);
            assert_eq!(User::parse(&user.to_string()), Some(user.clone()), "{name}");
            assert!(!user.to_string().contains([':', '~', '*', ' ']), "{user}");
        }
        assert_eq!(User::parse("a:b"), None);
    }

    #[test]
    fn different_users_have_different_keys() {
        let users = ["1", "01", "+1", "-0", "0", "A", "%41", "a:b", "a%3Ab"].map(User::new);
        for (at, one) in users.iter().enumerate() {
            assert!(users[..at].iter().all(|other| other.version() != one.version()), "{one}");
        }
        assert_eq!((users[0].version(), users[1].version()), ("user:version:1".into(), "user:version:01".into()));
        assert_eq!((users[0].scope(), users[1].scope()), (Some(Scope::user(1)), None));
    }
}
