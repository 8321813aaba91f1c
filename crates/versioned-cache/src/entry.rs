//! One cached value: its id, its TTL, the versions that it depends on, and the operation that it is counted under.

mod compression;
mod envelope;
pub(crate) mod form;
mod versions;

use std::borrow::Cow;

use serde_json::Value;
use sha2::{Digest, Sha256};

pub(crate) use self::envelope::{Envelope, HEADER_END};
pub(crate) use self::form::{Opened, Timing};
pub(crate) use self::versions::{Version, Versions};
use crate::key::{self, Scope};
use crate::settings::Ttl;
use crate::user::User;

/// Returns whether this program could have stored a value that was found.
pub type Check = fn(&[u8]) -> bool;

/// One cached value, not yet looked up.
#[derive(Clone, Debug)]
pub struct Entry {
    pub(crate) id: EntryId,
    pub(crate) absent_guard: Option<Scope>,
    pub(crate) ttl: Ttl,
    pub(crate) module: Cow<'static, str>,
    pub(crate) operation: Cow<'static, str>,
    /// The operation that hits and misses are counted under; `None`: they are not counted.
    pub(crate) counted: Option<Cow<'static, str>>,
    pub(crate) user: Option<User>,
    pub(crate) check: Option<Check>,
}

impl Entry {
    /// The entry of a scope. A write of the scope makes it outdated: see [`Cache::write`](crate::Cache::write).
    pub fn new(scope: &Scope, ttl: Ttl) -> Self {
        Self::with_id(
            EntryId::Scoped { scope: scope.clone(), suffix: String::new() },
            "default".into(),
            "default".into(),
            ttl,
        )
    }

    /// An entry with a name of its own and exactly this TTL. Modules and operations must not contain a colon.
    pub fn named(
        module: impl Into<Cow<'static, str>>,
        operation: impl Into<Cow<'static, str>>,
        name: &str,
        ttl: Ttl,
    ) -> Self {
        let (module, operation) = (module.into(), operation.into());
        let path = [&*module, ":", &*operation, ":", name].concat();
        Self::with_id(EntryId::Named { path }, module, operation, ttl)
    }

    /// The result of an operation for these parameters. Equal parameters (the order of object members does not matter)
    /// are one entry. Different parameters are never the same entry: the name is 128 bits of their SHA-256. An entry of
    /// a `user` is separate from other users' entries, and any change of the user makes it outdated. The cache service
    /// reads and writes the same entries as `/api/cache/entries/{module}/{operation}`: there, all parameters are
    /// strings.
    pub fn described(
        module: impl Into<Cow<'static, str>>,
        operation: impl Into<Cow<'static, str>>,
        params: &Value,
        user: Option<User>,
        ttl: Ttl,
    ) -> Self {
        let mut name = digest(canonical(params).as_bytes());
        if let Some(user) = &user {
            name = format!("u{user}:{name}");
        }
        Self { user, ..Self::named(module, operation, &name, ttl) }
    }

    fn with_id(id: EntryId, module: Cow<'static, str>, operation: Cow<'static, str>, ttl: Ttl) -> Self {
        let counted = Some(operation.clone());
        Self { id, absent_guard: None, ttl, module, operation, counted, user: None, check: None }
    }

    /// One of several entries of the scope, for a query in canonical form (equal queries, equal text).
    #[must_use]
    pub fn query(mut self, query: &str) -> Self {
        if let EntryId::Scoped { suffix, .. } = &mut self.id {
            *suffix = [":", &digest(query.as_bytes())].concat();
        }
        self
    }

    /// Sets the module and the operation, which the entry is counted, listed and invalidated with.
    #[must_use]
    pub fn labelled(mut self, module: &'static str, operation: &'static str) -> Self {
        self.module = module.into();
        (self.operation, self.counted) = (operation.into(), Some(operation.into()));
        self
    }

    /// Makes the entry belong to a user: any change of the user makes it outdated, and so does
    /// [`Cache::invalidate_user`](crate::Cache::invalidate_user).
    #[must_use]
    pub fn of_user(mut self, user: impl Into<User>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Counts hits and misses under another operation, which reads the same entries.
    #[must_use]
    pub fn counted_as(mut self, operation: &'static str) -> Self {
        self.counted = Some(operation.into());
        self
    }

    /// Counts nothing: it is only a look at the entries of another component.
    #[must_use]
    pub fn uncounted(mut self) -> Self {
        self.counted = None;
        self
    }

    /// Stores an absence only while no write that marks `guard` is in flight. A create marks the list, because it
    /// cannot mark what does not exist yet.
    #[must_use]
    pub fn absent_guard(mut self, guard: &Scope) -> Self {
        self.absent_guard = Some(guard.clone());
        self
    }

    /// For a named entry: a value that fails `check` was written by another program. It is counted as corrupt, treated
    /// as a miss and replaced.
    #[must_use]
    pub fn checked_by(mut self, check: Check) -> Self {
        self.check = Some(check);
        self
    }

    /// The keys of all versions of the entry: its own, then those of [`Entry::other_keys`].
    pub(crate) fn version_keys(&self) -> Vec<String> {
        let mut keys = Vec::with_capacity(5);
        keys.push(self.id.version_key());
        self.push_other_keys(&mut keys);
        keys
    }

    /// The keys of the versions that the entry shares with others: generations, a user's version.
    pub(crate) fn other_keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        self.push_other_keys(&mut keys);
        keys
    }

    fn push_other_keys(&self, keys: &mut Vec<String>) {
        keys.push(key::module_generation(&self.module));
        keys.push(key::operation_generation(&self.module, &self.operation));
        keys.extend(self.user.as_ref().map(User::version));
    }

    /// The key of a value that was fetched under these versions.
    pub(crate) fn key(&self, versions: Versions) -> String {
        self.id.entry_key(versions)
    }

    /// Identifies a fill of the entry under these versions.
    pub(crate) fn fill_id(&self, versions: Versions) -> String {
        match &self.id {
            EntryId::Scoped { .. } => self.key(versions),
            EntryId::Named { path } => format!("{}-v{versions}", key::named_entry(path)),
        }
    }

    /// Whether the module and the operation may be names that a client has chosen: they are not known when the program
    /// is built. There may be any number of them.
    pub(crate) fn has_chosen_names(&self) -> bool {
        matches!((&self.module, &self.operation), (Cow::Owned(_), _) | (_, Cow::Owned(_)))
    }

    /// The scope of the entry: while a write of the scope is in flight, no value is stored. Named entries have no
    /// scope.
    pub(crate) fn scope(&self) -> Option<&Scope> {
        match &self.id {
            EntryId::Scoped { scope, .. } => Some(scope),
            EntryId::Named { .. } => None,
        }
    }

    pub(crate) fn is_named(&self) -> bool {
        self.id.is_named()
    }

    /// How long a value (or an absence) lives, in ms.
    pub(crate) fn ttl_ms(&self, found: bool, random: u64) -> u64 {
        if self.is_named() { self.ttl.exact_ms(found) } else { self.ttl.jittered_ms(found, random) }
    }

    /// Whether values are cached at all: a TTL of 0 disables that.
    pub(crate) fn is_cacheable(&self) -> bool {
        self.ttl.found_s > 0
    }
}

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
            Self::Scoped { scope, suffix } => {
                let mut key = scope.entries();
                versions.append_to(&mut key);
                key.push_str(suffix);
                key
            }
            Self::Named { path } => key::named_entry(path),
        }
    }

    pub(crate) fn is_named(&self) -> bool {
        matches!(self, Self::Named { .. })
    }
}

/// JSON text that is the same for equal values: sorted members, no white space (as in RFC 8785, except that numbers are
/// written as serde_json writes them).
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by_key(|(name, _)| *name);
            let members: Vec<String> = sorted
                .into_iter()
                .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), canonical(value)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(elements) => {
            format!("[{}]", elements.iter().map(canonical).collect::<Vec<_>>().join(","))
        }
        scalar => scalar.to_string(),
    }
}

/// 128 bits of SHA-256, in hexadecimal.
pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)[..16].iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TTL: Ttl = Ttl { found_s: 300, absent_s: 30 };

    #[test]
    fn scoped_keys_have_the_documented_names() {
        let versions = Versions::test(1 << 61, 0xabc);
        let user = Entry::new(&Scope::user(42), TTL);
        assert_eq!(user.key(versions), format!("user:cache:42-v{}:000000000abc", 1u64 << 61));
        let list = Entry::new(&Scope::list("users"), TTL);
        assert_eq!(list.key(versions), format!("users:cache:v{}:000000000abc", 1u64 << 61));
        let page = list.clone().query("limit=2").key(versions);
        assert_eq!(page.strip_prefix(&list.key(versions)).map(str::len), Some(33));
        assert_ne!(page, list.query("limit=3").key(versions));
    }

    #[test]
    fn named_keys_do_not_depend_on_the_versions() {
        let entry = Entry::named("kv", "get", "a:b", TTL);
        assert_eq!(entry.key(Versions::test(1 << 61, 1)), "cache:entry:kv:get:a:b");
        assert_eq!(
            entry.version_keys(),
            ["cache:version:kv:get:a:b", "cache:generation:kv", "cache:generation:kv:get"]
        );
        assert_ne!(entry.fill_id(Versions::test(1 << 61, 1)), entry.fill_id(Versions::test(1 << 61, 2)));
    }

    #[test]
    fn equal_parameters_are_one_entry_and_others_are_not() {
        let entry = |params: Value, user| Entry::described("sellers", "list", &params, user, TTL);
        let id = |params, user| entry(params, user).id;
        let one = json!({"page": 1, "filter": {"b": [1, 2], "a": "x"}});
        let same: Value = serde_json::from_str(r#"{"filter":{"a":"x","b":[1,2]},"page":1}"#).unwrap();
        assert_eq!(id(one.clone(), None), id(same, None));
        for other in [
            json!({"page": 1, "filter": {"b": [2, 1], "a": "x"}}),
            json!({"page": "1", "filter": {"b": [1, 2], "a": "x"}}),
            json!({"page": 1}),
            json!(null),
        ] {
            assert_ne!(id(one.clone(), None), id(other, None));
        }
        let user = |name| Some(User::new(name));
        assert_ne!(id(one.clone(), None), id(one.clone(), user("1")));
        assert_ne!(id(one.clone(), user("1")), id(one.clone(), user("11")));
        assert_ne!(id(one.clone(), user("a")), id(one.clone(), user("A")));
        assert_eq!(entry(one.clone(), user("7")).other_keys()[2], "user:version:7");
        assert_eq!(entry(one, user("user-7")).other_keys()[2], "user:version:user-7");
    }

    #[test]
    fn names_that_are_known_at_run_time_make_the_same_entries() {
        let (module, operation) = ("posts".to_owned(), "list".to_owned());
        let owned = Entry::described(module, operation, &json!({}), None, TTL);
        let fixed = Entry::described("posts", "list", &json!({}), None, TTL);
        assert_eq!((owned.id.clone(), owned.version_keys()), (fixed.id.clone(), fixed.version_keys()));
        assert!(owned.has_chosen_names() && !fixed.has_chosen_names());
    }
}
