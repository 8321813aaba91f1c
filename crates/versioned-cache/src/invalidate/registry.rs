//! The registries list what is cached for each operation and each user: sorted sets of entries, scored by their end
//! times. They are used to list, count and remove entries. Whether an entry is current never depends on them, so Redis
//! may evict them. Some registrations also remove members that have expired or were evicted. A registry expires with
//! its last member.

use std::collections::BTreeMap;
use std::rc::Rc;

use futures_util::future::{join, join_all, join3};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use ports::{Arg, Client, Connect, RedisError, Reply, Runtime};

use super::member::Member;
use crate::entry::{Entry, EntryId};
use crate::key::{self, OPERATIONS, Scope};
use crate::read::BATCH_WIDTH;

/// One of this many registrations removes members that have ended: up to [`PRUNED`], or twice as many as it adds.
const PRUNE_ONE_IN: u64 = 8;
const PRUNED: i64 = 64;
/// How many members are then checked for eviction.
const SAMPLED: i64 = 16;
/// An operation whose names a client has chosen is added to the list of operations only while the list is shorter than
/// this, because invalidations and statistics go through all of it. The entries of the others are current, outdated and
/// removed in the same way, except that an invalidation of their module leaves them in memory until they end.
const LISTED_MAX: usize = 1_000;
/// How many such operations one registration adds. It bounds by how much registrations at the same time exceed
/// [`LISTED_MAX`].
const LISTED_AT_ONCE: usize = 100;

/// Members with their ends.
type Members = BTreeMap<String, i64>;
/// Members to be added, by registry.
type Sets = BTreeMap<String, Members>;

/// The registries in Redis.
pub(crate) struct Registry<R: Connect, T> {
    client: Rc<Client<R, T>>,
}

impl<R: Connect, T: Runtime> Registry<R, T> {
    pub(crate) fn new(client: &Rc<Client<R, T>>) -> Self {
        Self { client: Rc::clone(client) }
    }

    /// Adds entries that were stored, each with its TTL in ms. Best effort: entries that are missing are only not
    /// listed.
    pub(crate) async fn register(self: &Rc<Self>, entries: &[(&Entry, u64)]) {
        let now_ms = self.client.runtime().unix_ms();
        let mut sets = Sets::new();
        // Operations whose names a client has chosen.
        let mut chosen = Members::new();
        for (entry, ttl_ms) in entries {
            let ends = (now_ms + ttl_ms) as i64;
            let add_to = |members: &mut Members, member: String| {
                let latest = members.entry(member).or_insert(ends);
                *latest = ends.max(*latest);
            };
            let mut add = |registry: String, member: String| add_to(sets.entry(registry).or_default(), member);
            let member = Member::of(entry).text();
            if let Some(user) = &entry.user {
                add(key::user_registry(user), member.clone());
            }
            add(key::registry(&entry.module, &entry.operation), member);
            let operation = [&*entry.module, ":", &*entry.operation].concat();
            if entry.has_chosen_names() {
                add_to(&mut chosen, operation);
            } else {
                add(OPERATIONS.to_owned(), operation);
            }
        }
        let added = join_all(sets.iter().map(|(registry, members)| {
            // The score of an operation is the end of its last entry. The score of an entry is the end of what was
            // stored last.
            let options: &[&str] = if registry == OPERATIONS { &["GT"] } else { &[] };
            self.client.call("ZADD", zadd_args(registry, options, members))
        }));
        let (added, listed) = join(added, self.list_chosen(&chosen)).await;
        if let Some(error) = added.into_iter().find_map(Result::err).or(listed.err()) {
            tracing::debug!(%error, "an entry was not registered in the cache");
            return;
        }
        if !chosen.is_empty() {
            // Also if none was added: what has ended makes room.
            sets.entry(OPERATIONS.to_owned()).or_default().extend(chosen);
        }
        let registry = Rc::clone(self);
        self.client.runtime().spawn(async move { registry.tidy(sets).await });
    }

    /// Adds operations whose names a client has chosen to the list of operations, if there is room. One round trip if
    /// they are listed already.
    async fn list_chosen(&self, chosen: &Members) -> Result<(), RedisError> {
        if chosen.is_empty() {
            return Ok(());
        }
        let names = chosen.keys().map(|name| Arg::from(name.as_str()));
        let (kept, scores, length) = join3(
            self.client.call("ZADD", zadd_args(OPERATIONS, &["XX", "GT"], chosen)),
            self.client.call("ZMSCORE", std::iter::once(Arg::from(OPERATIONS)).chain(names).collect()),
            self.client.call_one("ZCARD", vec![OPERATIONS.into()]),
        )
        .await;
        kept?;
        let (scores, length) = (scores?, count_in(&length?));
        let new = chosen.iter().zip(scores).filter(|(_, score)| *score == Reply::Nil).map(|(member, _)| member);
        let new: Members = new.take(room(length)).map(|(member, ends)| (member.clone(), *ends)).collect();
        if !new.is_empty() {
            self.client.call("ZADD", zadd_args(OPERATIONS, &["GT"], &new)).await?;
        }
        Ok(())
    }

    /// Sets the TTLs of registries and removes some members. It runs after the response. If it is cancelled, a later
    /// registration does it.
    async fn tidy(&self, sets: Sets) {
        join_all(sets.into_iter().map(async |(key, members)| {
            if key != OPERATIONS {
                let ends = members.values().max().copied().unwrap_or_default();
                let expire =
                    |only: &str| self.client.call("PEXPIREAT", vec![key.as_str().into(), ends.into(), only.into()]);
                // NX as well: GT sets no TTL on a key without one, because it counts as infinite.
                let (first, later) = join(expire("NX"), expire("GT")).await;
                if first.is_err() || later.is_err() {
                    return;
                }
            }
            let added = members.len() as u64;
            if self.client.runtime().random_u64() % PRUNE_ONE_IN < added {
                let _ = self.remove_ended(&key, PRUNED.max(2 * added as i64)).await;
                let _ = self.remove_evicted(&key).await;
            }
        }))
        .await;
    }

    /// Removes up to `limit` members that have ended, the oldest first.
    async fn remove_ended(&self, registry: &str, limit: i64) -> Result<(), RedisError> {
        let now = self.client.runtime().unix_ms() as i64;
        let limit = ["BYSCORE".into(), "LIMIT".into(), Arg::Int(0), limit.into(), "WITHSCORES".into()];
        let range = [registry.into(), "-inf".into(), now.into()].into_iter().chain(limit).collect();
        let ended = self.client.call("ZRANGE", range).await?;
        // By score, not by name: a member that was registered again in the meantime has a later end time.
        if let Some(last) = ended.last().and_then(Reply::as_int) {
            self.client.call("ZREMRANGEBYSCORE", vec![registry.into(), "-inf".into(), last.into()]).await?;
        }
        Ok(())
    }

    /// Checks some members and removes those whose entries were evicted. (Scoped entries are not checked, because their
    /// keys contain versions.) An entry that is stored again at the same time may be missing from the list.
    async fn remove_evicted(&self, registry: &str) -> Result<(), RedisError> {
        let sample = self.client.call("ZRANDMEMBER", vec![registry.into(), SAMPLED.into()]).await?;
        let checks = sample.into_iter().filter_map(|member| {
            let EntryId::Named { path } = Member::from_reply(&member)?.id else { return None };
            let exists = async move { self.client.call_one("EXISTS", vec![key::named_entry(&path).into()]).await };
            Some(async move { (member.into_bytes().unwrap_or_default(), exists.await) })
        });
        let checks = join_all(checks).await.into_iter();
        let evicted: Vec<Arg> =
            checks.filter_map(|(member, exists)| (exists == Ok(Reply::Int(0))).then(|| member.into())).collect();
        if !evicted.is_empty() {
            self.client.call("ZREM", std::iter::once(Arg::from(registry)).chain(evicted).collect()).await?;
        }
        Ok(())
    }

    /// The operations that may have entries: module and operation.
    pub(crate) async fn operations(&self) -> Result<Vec<(String, String)>, RedisError> {
        let members = self.client.retry_call("ZRANGE", vec![OPERATIONS.into(), 0.into(), (-1).into()]).await?;
        let parse = |reply: Reply| {
            let text = String::from_utf8(reply.into_bytes()?).ok()?;
            text.split_once(':').map(|(module, operation)| (module.to_owned(), operation.to_owned()))
        };
        let mut operations: Vec<(String, String)> = members.into_iter().filter_map(parse).collect();
        operations.sort();
        Ok(operations)
    }

    /// How many members of an operation have not ended.
    pub(crate) async fn count(&self, module: &str, operation: &str) -> Result<u64, RedisError> {
        let now = self.client.runtime().unix_ms() as i64;
        let args = vec![key::registry(module, operation).into(), now.into(), "+inf".into()];
        Ok(count_in(&self.client.retry_call_one("ZCOUNT", args).await?))
    }

    /// Up to `limit` members of an operation with their ends, in that order. The first `skip` of those that end at or
    /// after `from` are left out. `None`: another program wrote this member.
    pub(crate) async fn members(
        &self,
        module: &str,
        operation: &str,
        from: i64,
        skip: i64,
        limit: usize,
    ) -> Result<Vec<(Option<Member>, i64)>, RedisError> {
        let range = [key::registry(module, operation).into(), from.into(), "+inf".into(), "BYSCORE".into()];
        let limit = ["LIMIT".into(), skip.into(), (limit as i64).into(), "WITHSCORES".into()];
        let replies = self.client.retry_call("ZRANGE", range.into_iter().chain(limit).collect()).await?;
        let pairs = replies.chunks_exact(2);
        Ok(pairs.filter_map(|pair| Some((Member::from_reply(&pair[0]), pair[1].as_int()?))).collect())
    }

    /// Which operations have registered the entry of a scope.
    pub(crate) async fn members_of(&self, scope: &Scope) -> Result<Vec<Member>, RedisError> {
        let operations = self.operations().await?;
        let found = operations.into_iter().map(async |(module, operation)| {
            let registry = key::registry(&module, &operation);
            let id = EntryId::Scoped { scope: scope.clone(), suffix: String::new() };
            let member = Member::new(id, module, operation);
            let score = self.client.retry_call_one("ZSCORE", vec![registry.into(), member.text().into()]).await?;
            Ok::<_, RedisError>((score != Reply::Nil).then_some(member))
        });
        let found: Vec<Option<Member>> = stream::iter(found).buffered(BATCH_WIDTH).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Removes members from the registries of their operations.
    pub(crate) async fn forget(&self, members: impl Iterator<Item = &Member>) -> Result<(), RedisError> {
        let mut by_registry: BTreeMap<String, Vec<Arg>> = BTreeMap::new();
        for member in members {
            let registry = key::registry(&member.module, &member.operation);
            by_registry.entry(registry).or_default().push(member.text().into());
        }
        let removals = by_registry.into_iter().map(|(registry, members)| {
            self.client.call("ZREM", std::iter::once(Arg::from(registry)).chain(members).collect())
        });
        join_all(removals).await.into_iter().try_for_each(|outcome| outcome.map(drop))
    }
}

/// The arguments of a ZADD.
fn zadd_args(registry: &str, options: &[&str], members: &Members) -> Vec<Arg> {
    let options = options.iter().map(|option| Arg::from(*option));
    let members = members.iter().flat_map(|(member, ends)| [Arg::Int(*ends), member.as_str().into()]);
    std::iter::once(Arg::from(registry)).chain(options).chain(members).collect()
}

/// How many operations with names of clients may be added now to a list with this length.
fn room(length: u64) -> usize {
    LISTED_MAX.saturating_sub(length as usize).min(LISTED_AT_ONCE)
}

/// The number of keys or members in a reply.
pub(crate) fn count_in(reply: &Reply) -> u64 {
    reply.as_int().and_then(|count| u64::try_from(count).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_operations_is_bounded() {
        assert_eq!([0, 850, 950, 999, 1_000, 2_000].map(room), [100, 100, 50, 1, 0, 0]);
    }

    #[test]
    fn options_come_before_the_members() {
        let members = Members::from([("a:b".to_owned(), 7)]);
        let expected: Vec<Arg> = vec!["s".into(), "XX".into(), "GT".into(), Arg::Int(7), "a:b".into()];
        assert_eq!(zadd_args("s", &["XX", "GT"], &members), expected);
    }
}
