//! Invalidation. An entry becomes outdated when one of its versions changes: the generation of its module or operation,
//! a user's version, or its own version. This costs one command and also covers fetches under way. The entries are then
//! removed with the help of the registries, to free memory and to be counted.

mod cursor;
pub(crate) mod listing;
mod member;
mod registry;
mod scan;

use std::rc::Rc;

use futures_util::future::{join, join3};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use ports::{Arg, Client, Connect, RedisError, Runtime};

pub(crate) use self::member::Member;
pub(crate) use self::registry::Registry;
use self::registry::count_in;
use self::scan::Scan;
use crate::entry::EntryId;
use crate::generations::{Generations, Replies};
use crate::key::{self, Scope};
use crate::read::BATCH_WIDTH;
use crate::user::User;

/// How many members are taken out of a registry at once.
const MEMBERS_AT_ONCE: i64 = 512;

/// Makes entries outdated and removes them. All methods return how many entries they removed. If they fail, none or
/// only some of the entries are outdated.
pub(crate) struct Invalidator<R: Connect, T> {
    pub client: Rc<Client<R, T>>,
    pub generations: Rc<Generations<R, T>>,
    pub registry: Rc<Registry<R, T>>,
}

impl<R: Connect, T: Runtime> Invalidator<R, T> {
    pub(crate) async fn operation(&self, module: &str, operation: &str) -> Result<u64, RedisError> {
        let generation = key::operation_generation(module, operation);
        let keys = [key::module_generation(module), generation.clone()];
        let before = self.generations.replace_generation(&generation, &keys).await?;
        self.unlink_registered(&key::registry(module, operation), &before).await
    }

    pub(crate) async fn module(&self, module: &str) -> Result<u64, RedisError> {
        let generation = key::module_generation(module);
        let before = self.generations.replace_generation(&generation, std::slice::from_ref(&generation)).await?;
        let mut removed = 0;
        for (of, operation) in self.registry.operations().await? {
            if of == module {
                removed += self.unlink_registered(&key::registry(module, &operation), &before).await?;
            }
        }
        Ok(removed)
    }

    /// Entries of the user's scope for a query become outdated, too, and so do the pages of the list of users, because
    /// they may show the user. These are not removed: they expire.
    pub(crate) async fn user(&self, user: &User) -> Result<u64, RedisError> {
        let version = user.version();
        let before = self.generations.replace_generation(&version, std::slice::from_ref(&version)).await?;
        let mut removed = 0;
        if let Some(scope) = user.scope() {
            self.generations.replace_generation(&Scope::users().version(), &[]).await?;
            let of_scope = self.registry.members_of(&scope).await?;
            removed += self.client.retry(async || self.unlink_members(&of_scope, &before).await).await?;
        }
        Ok(removed + self.unlink_registered(&key::user_registry(user), &before).await?)
    }

    pub(crate) async fn matching(&self, module: &str, operation: &str, pattern: &str) -> Result<u64, RedisError> {
        // By version, because an entry that is being fetched has a version already.
        let prefix = key::named_version(&[module, ":", operation, ":"].concat());
        let path_begins = key::named_version("").len();
        let mut scan = Scan::new(&prefix, pattern);
        let mut removed = 0;
        while let Some(keys) = scan.next(&self.client).await? {
            let paths: Vec<String> = keys.iter().map(|key| key[path_begins..].to_owned()).collect();
            if !paths.is_empty() {
                removed += self.client.retry(async || self.unlink_named(&paths).await).await?;
            }
        }
        Ok(removed)
    }

    pub(crate) async fn all(&self) -> Result<u64, RedisError> {
        let mut removed = 0;
        let mut modules: Vec<String> =
            self.registry.operations().await?.into_iter().map(|(module, _)| module).collect();
        modules.dedup();
        for module in modules {
            removed += self.module(&module).await?;
        }
        // The other entries are in no registry that is listed: the registry was evicted, its operation found no room in
        // the list, or they are not registered yet.
        let (entries, versions) = (key::named_entry(""), key::named_version(""));
        let generations = key::module_generation("");
        let mut scan = Scan::new(key::NAMESPACE, "*");
        while let Some(keys) = scan.next(&self.client).await? {
            let generations = keys.iter().filter(|key| key.starts_with(&generations));
            let replace = generations.map(|generation| self.generations.replace_generation(generation, &[]));
            stream::iter(replace).buffered(BATCH_WIDTH).try_for_each(async |_| Ok(())).await?;
            let with = |prefix: &str| -> Vec<Arg> {
                keys.iter().filter(|key| key.starts_with(prefix)).map(|key| key.as_str().into()).collect()
            };
            let (rest, entries) = ([with(&versions), with(key::REGISTRIES)].concat(), with(&entries));
            if !rest.is_empty() {
                self.client.retry_call("UNLINK", rest).await?;
            }
            if !entries.is_empty() {
                removed += count_in(&self.client.retry_call_one("UNLINK", entries).await?);
            }
        }
        Ok(removed)
    }

    /// Makes named entries outdated and removes them. It removes their versions, too: so fetches in progress are
    /// outdated.
    pub(crate) async fn unlink_named(&self, paths: &[String]) -> Result<u64, RedisError> {
        let keys = |name: fn(&str) -> String| paths.iter().map(|path| Arg::from(name(path))).collect::<Vec<_>>();
        let members: Vec<Member> = paths.iter().filter_map(|path| Member::named(path)).collect();
        let (versions, entries, forgotten) = join3(
            self.client.call("UNLINK", keys(key::named_version)),
            self.client.call_one("UNLINK", keys(key::named_entry)),
            self.registry.forget(members.iter()),
        )
        .await;
        versions?;
        forgotten?;
        Ok(count_in(&entries?))
    }

    /// Removes the entries in a registry, and the registry. `before` has the replaced versions, under which the entries
    /// were stored.
    async fn unlink_registered(&self, registry: &str, before: &Replies) -> Result<u64, RedisError> {
        // Entries that are registered from now on are current, and go into a new set.
        let taken = format!("{registry}~{:016x}", self.client.runtime().random_u64());
        match self.client.retry_call("RENAME", vec![registry.into(), taken.as_str().into()]).await {
            // There is no such registry. (If an attempt took effect without a reply, the renamed set expires.)
            Err(RedisError::Refused(_)) => return Ok(0),
            outcome => outcome?,
        };
        let mut removed = 0;
        loop {
            let pop = vec![taken.as_str().into(), MEMBERS_AT_ONCE.into()];
            let popped = self.client.retry_call("ZPOPMIN", pop).await?;
            if popped.is_empty() {
                return Ok(removed);
            }
            let members: Vec<Member> = popped.chunks(2).filter_map(|pair| Member::from_reply(&pair[0])).collect();
            removed += self.client.retry(async || self.unlink_members(&members, before).await).await?;
        }
    }

    async fn unlink_members(&self, members: &[Member], before: &Replies) -> Result<u64, RedisError> {
        let mut named: Vec<String> = Vec::new();
        let mut scoped: Vec<&Member> = Vec::new();
        for member in members {
            match &member.id {
                EntryId::Named { path } => named.push(path.clone()),
                EntryId::Scoped { .. } => scoped.push(member),
            }
        }
        let removed = if named.is_empty() { 0 } else { self.unlink_named(&named).await? };
        let versions: Vec<Vec<String>> = scoped.iter().map(|member| member.version_keys()).collect();
        let versions = self.generations.versions_of(&versions, before).await?;
        let keys = scoped.iter().zip(versions).filter_map(|(member, versions)| Some(member.id.entry_key(versions?)));
        let keys: Vec<Arg> = keys.map(Arg::from).collect();
        if keys.is_empty() {
            return Ok(removed);
        }
        let unlink = self.client.call_one("UNLINK", keys);
        let (unlinked, forgotten) = join(unlink, self.registry.forget(scoped.iter().copied())).await;
        forgotten?;
        Ok(removed + count_in(&unlinked?))
    }
}
