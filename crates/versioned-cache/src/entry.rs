//! One cached answer: where it lives, how long, what it hangs on, and what it counts as.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::basis::Basis;
use crate::key::{self, Scope};
use crate::place::Place;
use crate::settings::Ttl;

/// Says whether a value that was found is one that this program could have stored.
pub type Check = fn(&[u8]) -> bool;

/// One cached answer.
#[derive(Clone, Debug)]
pub struct Entry {
    pub(crate) place: Place,
    pub(crate) absent_guard: Option<Scope>,
    pub(crate) ttl: Ttl,
    pub(crate) module: &'static str,
    pub(crate) operation: &'static str,
    /// The operation that hits and misses are counted under.
    pub(crate) counted: &'static str,
    pub(crate) user: Option<i64>,
    pub(crate) check: Option<Check>,
}

impl Entry {
    /// The answer that stands for the whole scope. Writes outdate it through the scope: see
    /// [`Cache::write`](crate::Cache::write).
    pub fn new(scope: &Scope, ttl: Ttl) -> Self {
        let place = Place::Scoped { scope: scope.clone(), suffix: String::new() };
        Self::at(place, "default", "default", ttl)
    }

    /// An entry under a name of its own, with exactly this TTL. Modules and operations have no colon.
    pub fn named(module: &'static str, operation: &'static str, name: &str, ttl: Ttl) -> Self {
        Self::at(Place::Named { path: [module, ":", operation, ":", name].concat() }, module, operation, ttl)
    }

    /// The answer of an operation to `params`: equal parameters, in whatever order their members stand, are one entry;
    /// different ones never are (SHA-256, 128 bits of it). An entry for a `user` is that user's alone, and ends with
    /// any change of the user.
    pub fn described(
        module: &'static str,
        operation: &'static str,
        params: &Value,
        user: Option<i64>,
        ttl: Ttl,
    ) -> Self {
        let digest = digest(&canonical(params));
        let name = user.map_or_else(|| digest.clone(), |id| format!("u{id}:{digest}"));
        Self { user, ..Self::named(module, operation, &name, ttl) }
    }

    fn at(place: Place, module: &'static str, operation: &'static str, ttl: Ttl) -> Self {
        Self { place, absent_guard: None, ttl, module, operation, counted: operation, user: None, check: None }
    }

    /// One of several answers of the scope, told apart by `query` (in canonical form: equal questions, equal text).
    #[must_use]
    pub fn query(mut self, query: &str) -> Self {
        if let Place::Scoped { suffix, .. } = &mut self.place {
            *suffix = [":", &digest(query)].concat();
        }
        self
    }

    /// The module and operation that the entry belongs to: it is counted, listed and invalidated with them.
    #[must_use]
    pub fn labelled(mut self, module: &'static str, operation: &'static str) -> Self {
        self.module = module;
        (self.operation, self.counted) = (operation, operation);
        self
    }

    /// Counts hits and misses under another operation, which reads the same entries.
    #[must_use]
    pub fn counted_as(mut self, operation: &'static str) -> Self {
        self.counted = operation;
        self
    }

    /// Stores "there is no such thing" only while no write that marks `guard` is in flight: creates mark the list,
    /// since they cannot mark what does not exist yet.
    #[must_use]
    pub fn absent_guard(mut self, guard: &Scope) -> Self {
        self.absent_guard = Some(guard.clone());
        self
    }

    /// Of a named entry: takes a value that fails `check` for missing, counts it as corrupt and replaces it, since somebody
    /// else wrote it.
    #[must_use]
    pub fn checked_by(mut self, check: Check) -> Self {
        self.check = Some(check);
        self
    }

    /// The key of the version.
    pub(crate) fn version_key(&self) -> String {
        self.place.version_key()
    }

    /// The keys of everything else that the entry hangs on.
    pub(crate) fn other_keys(&self) -> Vec<String> {
        let mut keys =
            vec![key::module_generation(self.module), key::operation_generation(self.module, self.operation)];
        keys.extend(self.user.map(|id| Scope::user(id).version()));
        keys
    }

    /// The key under which the value is stored, fetched on this basis.
    pub(crate) fn key(&self, basis: Basis) -> String {
        self.place.entry_key(basis)
    }

    /// Names a fetch of the entry on this basis.
    pub(crate) fn flight(&self, basis: Basis) -> String {
        match &self.place {
            Place::Scoped { .. } => self.key(basis),
            Place::Named { path } => format!("{}-v{basis}", key::named_entry(path)),
        }
    }

    /// Whose writes in flight forbid to store a value: none for named entries, which have no writes of this kind.
    pub(crate) fn scope(&self) -> Option<&Scope> {
        match &self.place {
            Place::Scoped { scope, .. } => Some(scope),
            Place::Named { .. } => None,
        }
    }

    pub(crate) fn is_named(&self) -> bool {
        self.place.is_named()
    }

    /// How long a value (or its absence) lives, in ms.
    pub(crate) fn ttl_ms(&self, found: bool, random: u64) -> u64 {
        if self.is_named() { self.ttl.exact_ms(found) } else { self.ttl.jittered_ms(found, random) }
    }

    /// Whether it is stored at all.
    pub(crate) fn is_cacheable(&self) -> bool {
        self.ttl.found_s > 0
    }
}

/// JSON text that is the same for equal values: members by name, no white space (the idea of RFC 8785; numbers are
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
fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes())[..16].iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TTL: Ttl = Ttl { found_s: 300, absent_s: 30 };

    #[test]
    fn scoped_keys_are_those_of_the_contract() {
        let basis = Basis::test(1 << 61, 0xabc);
        let user = Entry::new(&Scope::user(42), TTL);
        assert_eq!(user.key(basis), format!("user:cache:42-v{}:000000000abc", 1u64 << 61));
        let list = Entry::new(&Scope::list("users"), TTL);
        assert_eq!(list.key(basis), format!("users:cache:v{}:000000000abc", 1u64 << 61));
        let page = list.clone().query("limit=2").key(basis);
        assert_eq!(page.strip_prefix(&list.key(basis)).map(str::len), Some(33));
        assert_ne!(page, list.query("limit=3").key(basis));
    }

    #[test]
    fn named_keys_do_not_depend_on_the_version() {
        let entry = Entry::named("kv", "get", "a:b", TTL);
        assert_eq!(entry.key(Basis::test(1 << 61, 1)), "cache:entry:kv:get:a:b");
        assert_eq!(entry.version_key(), "cache:version:kv:get:a:b");
        assert_eq!(entry.other_keys(), ["cache:generation:kv", "cache:generation:kv:get"]);
        assert_ne!(entry.flight(Basis::test(1 << 61, 1)), entry.flight(Basis::test(1 << 61, 2)));
    }

    #[test]
    fn equal_descriptions_are_one_entry_and_others_are_not() {
        let entry = |params: Value, user| Entry::described("sellers", "list", &params, user, TTL);
        let place = |params, user| entry(params, user).place;
        let one = json!({"page": 1, "filter": {"b": [1, 2], "a": "x"}});
        let same: Value = serde_json::from_str(r#"{"filter":{"a":"x","b":[1,2]},"page":1}"#).unwrap();
        assert_eq!(place(one.clone(), None), place(same, None));
        for other in [
            json!({"page": 1, "filter": {"b": [2, 1], "a": "x"}}),
            json!({"page": "1", "filter": {"b": [1, 2], "a": "x"}}),
            json!({"page": 1}),
            json!(null),
        ] {
            assert_ne!(place(one.clone(), None), place(other, None));
        }
        assert_ne!(place(one.clone(), None), place(one.clone(), Some(1)));
        assert_ne!(place(one.clone(), Some(1)), place(one.clone(), Some(11)));
        assert_eq!(entry(one, Some(7)).other_keys()[2], "user:version:7");
    }
}
