//! What is cached, by operation and by user: sorted sets in Redis whose members are entries and whose scores are the
//! entries' ends. They serve to list, count and remove; whether an entry is current never depends on them, so they may
//! be evicted without harm. Each registration removes some members that have ended, and a set ends with its last member.

use std::collections::BTreeMap;

use futures_util::future::{join, join_all};
use ports::{Arg, Connect, Redis, RedisError, Reply, Runtime};

use crate::Cache;
use crate::entry::Entry;
use crate::key::{self, OPERATIONS, Scope};
use crate::place::Place;

/// One of this many registrations looks for members that have ended, and removes up to [`PRUNED`] (or, if it brings
/// many, twice as many).
const PRUNE_ONE_IN: u64 = 8;
const PRUNED: i64 = 64;
/// How many members are looked at then, whether they have been evicted.
const SAMPLED: i64 = 16;

/// An entry as a registry knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) place: Place,
    module: String,
    operation: String,
}

impl Member {
    /// An entry of an operation.
    pub(crate) fn new(place: Place, module: impl Into<String>, operation: impl Into<String>) -> Self {
        Self { place, module: module.into(), operation: operation.into() }
    }

    fn of(entry: &Entry) -> Self {
        Self::new(entry.place.clone(), entry.module, entry.operation)
    }

    /// The named entry of this path; `None` for one that nobody here made.
    pub(crate) fn named(path: &str) -> Option<Self> {
        let (module, rest) = path.split_once(':')?;
        let (operation, _) = rest.split_once(':')?;
        Some(Self::new(Place::Named { path: path.to_owned() }, module, operation))
    }

    /// The member as it stands in Redis: `@{module}:{operation}:{kind}:{id}{suffix}`, or of a named entry
    /// `={module}:{operation}:{name}`.
    pub(crate) fn text(&self) -> String {
        match &self.place {
            Place::Scoped { scope, suffix } => {
                format!("@{}:{}:{}{suffix}", self.module, self.operation, scope.text())
            }
            Place::Named { path } => ["=", path].concat(),
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
        Some(Self::new(Place::Scoped { scope, suffix }, module, operation))
    }

    /// The member in a reply; `None` for what somebody else put there.
    pub(crate) fn from_reply(reply: &Reply) -> Option<Self> {
        match reply {
            Reply::Bytes(bytes) => Self::parse(str::from_utf8(bytes).ok()?),
            _ => None,
        }
    }

    /// The name of a named entry, without its module and operation.
    pub(crate) fn name(&self) -> Option<&str> {
        match &self.place {
            Place::Scoped { .. } => None,
            Place::Named { path } => path.splitn(3, ':').nth(2),
        }
    }

    /// The registry of the member's operation.
    pub(crate) fn registry(&self) -> String {
        key::registry(&self.module, &self.operation)
    }

    /// The keys of what a scoped entry hangs on besides its version. (A named one tells by its value.)
    pub(crate) fn other_keys(&self) -> Vec<String> {
        if self.place.is_named() {
            return Vec::new();
        }
        vec![key::module_generation(&self.module), key::operation_generation(&self.module, &self.operation)]
    }
}

impl<R: Redis + Connect + 'static, T: Runtime + 'static> Cache<R, T> {
    /// Tells the registries of entries that are being stored, with how long each will live, in ms. Best effort: it only
    /// makes them visible.
    pub(crate) async fn register(&self, entries: &[(&Entry, u64)]) {
        let now = self.runtime.unix_ms();
        let mut sets: Vec<Set> = Vec::new();
        for (entry, ttl_ms) in entries {
            let ends = (now + ttl_ms) as i64;
            let member = Member::of(entry).text();
            if let Some(id) = entry.user {
                add(&mut sets, key::user_registry(id), &member, ends);
            }
            add(&mut sets, key::registry(entry.module, entry.operation), &member, ends);
            add(&mut sets, OPERATIONS.to_owned(), &[entry.module, ":", entry.operation].concat(), ends);
        }
        let added = join_all(sets.iter().map(|set| {
            // An operation ends with the last of its entries; an entry, as it was stored last.
            let only = (set.key == OPERATIONS).then_some(Arg::from("GT"));
            let words = std::iter::once(Arg::from(set.key.as_str())).chain(only);
            let members = set.members.iter().flat_map(|(member, ends)| [Arg::Int(*ends), member.as_str().into()]);
            self.call("ZADD", words.chain(members).collect())
        }));
        if let Some(error) = added.await.into_iter().find_map(Result::err) {
            self.log_failure("an entry was not registered", &error);
            return;
        }
        if let Some(cache) = self.me.upgrade() {
            self.runtime.spawn(async move { cache.tidy(sets).await });
        }
    }

    /// Lets registries end with their last member, and removes members that have ended. After the answer: if it is
    /// lost, a later registration does it.
    async fn tidy(&self, sets: Vec<Set>) {
        join_all(sets.into_iter().map(async |Set { key, members }| {
            if key != OPERATIONS {
                let ends = members.values().max().copied().unwrap_or_default();
                let expire = |only: &str| self.call("PEXPIREAT", vec![key.as_str().into(), ends.into(), only.into()]);
                // GT alone takes a set without an end for one that never ends.
                let (first, later) = join(expire("NX"), expire("GT")).await;
                if first.is_err() || later.is_err() {
                    return;
                }
            }
            let many = members.len() as u64;
            if self.runtime.random_u64() % PRUNE_ONE_IN < many {
                let _ = self.prune(&key, PRUNED.max(2 * many as i64)).await;
                let _ = self.forget_evicted(&key).await;
            }
        }))
        .await;
    }

    /// Looks at some members, and removes those whose entries Redis has thrown out. (Of scoped entries only their ends are
    /// known.) Should one be stored again just then, it is not listed.
    async fn forget_evicted(&self, registry: &str) -> Result<(), RedisError> {
        let some = self.call("ZRANDMEMBER", vec![registry.into(), SAMPLED.into()]).await?;
        let looks = some.into_iter().filter_map(|member| {
            let Place::Named { path } = Member::from_reply(&member)?.place else { return None };
            let there = async move { self.call_one("EXISTS", vec![key::named_entry(&path).into()]).await };
            Some(async move { (member.into_bytes().unwrap_or_default(), there.await) })
        });
        let looks = join_all(looks).await.into_iter();
        let gone: Vec<Arg> =
            looks.filter_map(|(member, there)| (there == Ok(Reply::Int(0))).then(|| member.into())).collect();
        if !gone.is_empty() {
            self.call("ZREM", std::iter::once(Arg::from(registry)).chain(gone).collect()).await?;
        }
        Ok(())
    }

    /// Removes up to `limit` members that have ended, the oldest first.
    async fn prune(&self, registry: &str, limit: i64) -> Result<(), RedisError> {
        let now = self.runtime.unix_ms() as i64;
        let limit = ["BYSCORE".into(), "LIMIT".into(), Arg::Int(0), limit.into(), "WITHSCORES".into()];
        let range = [registry.into(), "-inf".into(), now.into()].into_iter().chain(limit).collect();
        let ended = self.call("ZRANGE", range).await?;
        // By score, not by name: a member that was registered anew meanwhile has a later end.
        if let Some(last) = ended.last().and_then(Reply::as_int) {
            self.call("ZREMRANGEBYSCORE", vec![registry.into(), "-inf".into(), last.into()]).await?;
        }
        Ok(())
    }
}

/// Members to be added to a registry, with their ends.
struct Set {
    key: String,
    members: BTreeMap<String, i64>,
}

fn add(sets: &mut Vec<Set>, key: String, member: &str, ends: i64) {
    let at = sets.iter().position(|set| set.key == key).unwrap_or_else(|| {
        sets.push(Set { key, members: BTreeMap::new() });
        sets.len() - 1
    });
    let latest = sets[at].members.entry(member.to_owned()).or_insert(ends);
    *latest = ends.max(*latest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Ttl;

    const TTL: Ttl = Ttl { found_s: 300, absent_s: 30 };

    #[test]
    fn members_are_what_their_texts_say() {
        let user = Entry::new(&Scope::user(42), TTL).labelled("users", "getById").counted_as("getByIds");
        assert_eq!(Member::of(&user).text(), "@users:getById:user:42");
        let list = Entry::new(&Scope::list("users"), TTL).labelled("users", "list");
        assert_eq!(Member::of(&list).text(), "@users:list:users:");
        let named = Entry::named("kv", "get", "a:@b", TTL);
        assert_eq!(Member::of(&named).text(), "=kv:get:a:@b");
        for entry in [user, list.clone(), list.query("limit=2"), named] {
            let member = Member::parse(&Member::of(&entry).text()).expect("well-formed");
            assert_eq!(member.place, entry.place);
            assert_eq!(member.registry(), key::registry(entry.module, entry.operation));
        }
        for other in ["", "x", "=a:b", "@a:b", "@a:b:user:x"] {
            assert_eq!(Member::parse(other), None, "{other}");
        }
    }
}
