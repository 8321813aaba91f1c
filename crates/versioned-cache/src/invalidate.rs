//! Precise invalidation. What makes an entry outdated is a number that it hangs on: a module's or an operation's
//! generation, a user's version. Giving that a new value costs one command, and holds for fetches under way too. The
//! entries are then removed by the registries' word, for the memory's sake and to be counted.

use std::collections::{BTreeMap, HashMap};

use futures_util::future::{join, join_all, join3};
use ports::{Arg, Connect, Redis, RedisError, Reply, Runtime};

use crate::Cache;
use crate::basis::Basis;
use crate::key::{self, Scope};
use crate::place::Place;
use crate::registry::Member;

/// Members that are taken out of a registry at once.
const BATCH: i64 = 512;

/// What Redis had under some keys.
pub(crate) type Numbers = HashMap<String, Reply>;

/// All of these answer how many entries they removed, and fail with [`RedisError::Unreachable`] when Redis does not
/// answer: then nothing, or a part, is outdated.
impl<R: Redis + Connect + 'static, T: Runtime + 'static> Cache<R, T> {
    /// Outdates everything that is cached for an operation. Its cost depends on how much that is, and on nothing else.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn invalidate_operation(&self, module: &str, operation: &str) -> Result<u64, RedisError> {
        let generation = key::operation_generation(module, operation);
        let before = self.renew(&[key::module_generation(module), generation.clone()], &generation).await?;
        self.unlink_registered(&key::registry(module, operation), &before).await
    }

    /// Outdates everything that is cached for all operations of a module.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn invalidate_module(&self, module: &str) -> Result<u64, RedisError> {
        let generation = key::module_generation(module);
        let before = self.renew(std::slice::from_ref(&generation), &generation).await?;
        let mut removed = 0;
        for (of, operation) in self.operations().await? {
            if of == module {
                removed += self.unlink_registered(&key::registry(module, &operation), &before).await?;
            }
        }
        Ok(removed)
    }

    /// Outdates everything that is cached about or for a user, in all modules.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn invalidate_user(&self, id: i64) -> Result<u64, RedisError> {
        let scope = Scope::user(id);
        let before = self.renew(&[scope.version()], &scope.version()).await?;
        let about = self.members_of(&scope).await?;
        let removed = self.patiently(async || self.unlink_members(&about, &before).await).await?;
        Ok(removed + self.unlink_registered(&key::user_registry(id), &before).await?)
    }

    /// The entries that stand for a scope, in whatever operations they are registered. (Entries for queries are outdated
    /// with them, and left to their ends.)
    async fn members_of(&self, scope: &Scope) -> Result<Vec<Member>, RedisError> {
        let operations = self.operations().await?;
        let found = join_all(operations.into_iter().map(async |(module, operation)| {
            let registry = key::registry(&module, &operation);
            let place = Place::Scoped { scope: scope.clone(), suffix: String::new() };
            let member = Member::new(place, module, operation);
            let ask = async || self.call_one("ZSCORE", vec![registry.as_str().into(), member.text().into()]).await;
            let score = self.patiently(ask).await?;
            Ok((score != Reply::Nil).then_some(member))
        }));
        found.await.into_iter().filter_map(Result::transpose).collect()
    }

    /// Gives a number a value that nothing hangs on; what was under `keys` before. If it is not there, nothing hangs on it
    /// already: whoever needs it starts it anew.
    pub(crate) async fn renew(&self, keys: &[String], generation: &str) -> Result<Numbers, RedisError> {
        self.patiently(async || {
            let before = self.numbers_of(keys).await?;
            let fresh = self.fresh_version().number();
            self.call("SET", vec![generation.into(), fresh.into(), "XX".into()]).await?;
            Ok(before)
        })
        .await
    }

    async fn numbers_of(&self, keys: &[String]) -> Result<Numbers, RedisError> {
        if keys.is_empty() {
            return Ok(Numbers::new());
        }
        let replies = self.call("MGET", keys.iter().map(|key| key.as_str().into()).collect()).await?;
        Ok(keys.iter().cloned().zip(replies).collect())
    }

    /// Removes the entries in a registry, and the registry. `before`: numbers as they were when the entries were
    /// current, where they differ from today's.
    pub(crate) async fn unlink_registered(&self, registry: &str, before: &Numbers) -> Result<u64, RedisError> {
        // What is registered from now on is current, and goes into a new set.
        let taken = format!("{registry}~{:016x}", self.runtime.random_u64());
        let rename = async || self.call("RENAME", vec![registry.into(), taken.as_str().into()]).await;
        match self.patiently(rename).await {
            // There is no such registry. (If an attempt took effect without an answer, its set ends by itself.)
            Err(RedisError::Refused(_)) => return Ok(0),
            outcome => outcome?,
        };
        let mut removed = 0;
        loop {
            let pop = async || self.call("ZPOPMIN", vec![taken.as_str().into(), BATCH.into()]).await;
            let popped = self.patiently(pop).await?;
            if popped.is_empty() {
                return Ok(removed);
            }
            let members: Vec<Member> = popped.chunks(2).filter_map(|pair| Member::from_reply(&pair[0])).collect();
            removed += self.patiently(async || self.unlink_members(&members, before).await).await?;
        }
    }

    async fn unlink_members(&self, members: &[Member], before: &Numbers) -> Result<u64, RedisError> {
        let named: Vec<String> = members
            .iter()
            .filter_map(|member| match &member.place {
                Place::Named { path } => Some(path.clone()),
                Place::Scoped { .. } => None,
            })
            .collect();
        let scoped: Vec<&Member> = members.iter().filter(|member| !member.place.is_named()).collect();
        let removed = if named.is_empty() { 0 } else { self.unlink_named(&named).await? };
        let mut keys: Vec<String> = Vec::new();
        for (member, basis) in scoped.iter().zip(self.bases_of(&scoped, before).await?) {
            keys.extend(basis.map(|basis| member.place.entry_key(basis)));
        }
        if keys.is_empty() {
            return Ok(removed);
        }
        let (unlinked, forgotten) = join(
            self.call_one("UNLINK", keys.into_iter().map(Arg::from).collect()),
            self.forget(scoped.iter().copied()),
        )
        .await;
        forgotten?;
        Ok(removed + count_in(&unlinked?))
    }

    /// Takes members out of the registries of their operations.
    async fn forget(&self, members: impl Iterator<Item = &Member>) -> Result<(), RedisError> {
        let mut by_registry: BTreeMap<String, Vec<Arg>> = BTreeMap::new();
        for member in members {
            by_registry.entry(member.registry()).or_default().push(member.text().into());
        }
        let removals = by_registry.into_iter().map(|(registry, members)| {
            self.call("ZREM", std::iter::once(Arg::from(registry)).chain(members).collect())
        });
        join_all(removals).await.into_iter().try_for_each(|outcome| outcome.map(drop))
    }

    /// What scoped members hang on, `before` where that says something; `None` where a number was lost.
    pub(crate) async fn bases_of(
        &self,
        members: &[&Member],
        before: &Numbers,
    ) -> Result<Vec<Option<Basis>>, RedisError> {
        let wanted = |member: &Member| std::iter::once(member.place.version_key()).chain(member.other_keys());
        let mut keys: Vec<String> = members.iter().flat_map(|member| wanted(member)).collect();
        keys.retain(|key| !before.contains_key(key));
        keys.sort_unstable();
        keys.dedup();
        let today = self.numbers_of(&keys).await?;
        let number = |key: &String| before.get(key).or(today.get(key)).cloned().unwrap_or(Reply::Nil);
        Ok(members
            .iter()
            .map(|member| {
                let others: Vec<Reply> = member.other_keys().iter().map(number).collect();
                Basis::from_replies(&number(&member.place.version_key()), &others)
            })
            .collect())
    }

    /// Outdates and removes named entries; how many there were. It is the versions that fetches under way hang on.
    pub(crate) async fn unlink_named(&self, paths: &[String]) -> Result<u64, RedisError> {
        let keys = |name: fn(&str) -> String| paths.iter().map(|path| Arg::from(name(path))).collect::<Vec<_>>();
        let members: Vec<Member> = paths.iter().filter_map(|path| Member::named(path)).collect();
        let (versions, entries, forgotten) = join3(
            self.call("UNLINK", keys(key::named_version)),
            self.call_one("UNLINK", keys(key::named_entry)),
            self.forget(members.iter()),
        )
        .await;
        versions?;
        forgotten?;
        Ok(count_in(&entries?))
    }

    /// The operations that something may be cached for: module and operation.
    pub(crate) async fn operations(&self) -> Result<Vec<(String, String)>, RedisError> {
        let range = async || self.call("ZRANGE", vec![key::OPERATIONS.into(), 0.into(), (-1).into()]).await;
        let mut operations: Vec<(String, String)> = self
            .patiently(range)
            .await?
            .into_iter()
            .filter_map(|reply| {
                let text = String::from_utf8(reply.into_bytes()?).ok()?;
                text.split_once(':').map(|(module, operation)| (module.to_owned(), operation.to_owned()))
            })
            .collect();
        operations.sort();
        Ok(operations)
    }
}

pub(crate) fn count_in(reply: &Reply) -> u64 {
    reply.as_int().and_then(|count| u64::try_from(count).ok()).unwrap_or(0)
}
