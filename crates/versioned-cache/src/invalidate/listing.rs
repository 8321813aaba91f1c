//! What is cached, entry by entry.

use futures_util::future::{join_all, join3};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use ports::{Connect, RedisError, Runtime};

use super::Invalidator;
use super::cursor::Cursor;
use super::member::Member;
use super::registry::count_in;
use crate::entry::{Envelope, HEADER_END, Versions};
use crate::generations::Replies;
use crate::read::BATCH_WIDTH;

/// How much is cached for an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The module.
    pub module: String,
    /// The operation.
    pub operation: String,
    /// Entries whose TTL has not ended. Some may have been evicted or made outdated since they were registered.
    pub keys: u64,
}

/// One cached entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its key in Redis.
    pub key: String,
    /// The name of a named entry.
    pub name: Option<String>,
    /// The module.
    pub module: String,
    /// The operation.
    pub operation: String,
    /// How long Redis will keep it, in ms: its TTL and its grace.
    pub ttl_ms: u64,
    /// The size of the value in Redis, in bytes.
    pub size: u64,
    /// Its version.
    pub version: i64,
}

/// A part of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// By operation, and for each operation by the time when they end.
    pub entries: Vec<Listed>,
    /// Where the next page starts, if there may be more.
    pub next: Option<String>,
}

impl<R: Connect, T: Runtime> Invalidator<R, T> {
    /// See [`Cache::registered`](crate::Cache::registered).
    pub(crate) async fn registered(&self) -> Result<Vec<Registered>, RedisError> {
        let operations = self.registry.operations().await?;
        let counts = operations.iter().map(|(module, operation)| self.registry.count(module, operation));
        let counts: Vec<u64> = stream::iter(counts).buffered(BATCH_WIDTH).try_collect().await?;
        let mut registered = Vec::with_capacity(operations.len());
        for ((module, operation), keys) in operations.into_iter().zip(counts) {
            if keys > 0 {
                registered.push(Registered { module, operation, keys });
            }
        }
        Ok(registered)
    }

    /// See [`Cache::entries`](crate::Cache::entries).
    pub(crate) async fn entries(
        &self,
        (module, operation): (Option<&str>, Option<&str>),
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Option<Page>, RedisError> {
        let Some(mut at) = cursor.map_or(Some(Cursor::default()), Cursor::parse) else { return Ok(None) };
        let mut operations = self.registry.operations().await?;
        operations.retain(|(of, called)| module.is_none_or(|m| m == of) && operation.is_none_or(|o| o == called));
        let mut page = Page::default();
        while let Some((module, operation)) = operations.get(at.operation) {
            let wanted = limit - page.entries.len();
            let from = at.ends.max(self.client.runtime().unix_ms() as i64);
            let skip = if from == at.ends { at.skip } else { 0 };
            let members = self.registry.members(module, operation, from, skip, wanted).await?;
            let more = members.len() == wanted;
            for (_, ends) in &members {
                at.skip = if *ends == at.ends { at.skip + 1 } else { 1 };
                at.ends = *ends;
            }
            let members: Vec<Member> = members.into_iter().filter_map(|(member, _)| member).collect();
            for chunk in members.chunks(BATCH_WIDTH) {
                let keys: Vec<Vec<String>> = chunk.iter().map(Member::version_keys).collect();
                let versions = async || self.generations.versions_of(&keys, &Replies::new()).await;
                let versions = self.client.retry(versions).await?;
                let described = chunk.iter().zip(versions).map(|(member, versions)| self.describe(member, versions));
                for entry in join_all(described).await {
                    match entry {
                        Ok(entry) => page.entries.extend(entry),
                        // A key of another type is not an entry.
                        Err(RedisError::Refused(_)) => {}
                        Err(error) => return Err(error),
                    }
                }
            }
            if more {
                page.next = Some(at.text());
                return Ok(Some(page));
            }
            at = Cursor { operation: at.operation + 1, ..Cursor::default() };
        }
        Ok(Some(page))
    }

    /// The entry of a member under these versions; `None`: it does not exist, or is outdated.
    async fn describe(&self, member: &Member, versions: Option<Versions>) -> Result<Option<Listed>, RedisError> {
        let Some(versions) = versions else { return Ok(None) };
        let key = member.id.entry_key(versions);
        let (ttl, size, header) = join3(
            self.client.call_one("PTTL", vec![key.as_str().into()]),
            self.client.call_one("STRLEN", vec![key.as_str().into()]),
            self.client.call_one("GETRANGE", vec![key.as_str().into(), 0.into(), HEADER_END.into()]),
        )
        .await;
        let (ttl_ms, size, header) = (count_in(&ttl?), count_in(&size?), header?);
        let stored = || header.into_bytes().and_then(|bytes| Envelope::versions_in(&bytes));
        let is_current = !member.id.is_named() || stored().is_some_and(|stored| stored.own == versions.own);
        Ok((is_current && ttl_ms > 0).then(|| Listed {
            key,
            name: member.name().map(str::to_owned),
            module: member.module.clone(),
            operation: member.operation.clone(),
            ttl_ms,
            size,
            version: versions.own.number(),
        }))
    }
}
