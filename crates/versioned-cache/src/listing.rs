//! What is cached, entry by entry, and how Redis is.

use futures_util::future::{join, join_all, join3};
use ports::{Arg, Connect, Redis, RedisError, Reply, Runtime};

use crate::Cache;
use crate::batch::WIDTH;
use crate::envelope;
use crate::invalidate::{Numbers, count_in};
use crate::key;
use crate::registry::Member;

/// How much is cached for an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The module.
    pub module: String,
    /// The operation.
    pub operation: String,
    /// Entries whose time has not ended; some may have been evicted or outdated since they were registered.
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
    /// How long it will live, in ms.
    pub ttl_ms: u64,
    /// What Redis stores for it, in bytes.
    pub size: u64,
    /// Its version.
    pub version: i64,
}

/// A part of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// In the order of their ends, operation by operation.
    pub entries: Vec<Listed>,
    /// Where the next page starts, if there is more.
    pub next: Option<String>,
}

/// How Redis is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// Bytes.
    pub used_memory: u64,
    /// Keys that it threw out for want of memory since it started.
    pub evicted_keys: u64,
    /// All keys that it has, whoever's they are.
    pub keys: u64,
}

/// Where a page starts: in the operation with this number, after members that end then, `skip` of which are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cursor {
    operation: usize,
    ends: i64,
    skip: i64,
}

impl Cursor {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '-');
        let cursor = Self {
            operation: parts.next()?.parse().ok()?,
            ends: parts.next()?.parse().ok()?,
            skip: parts.next()?.parse().ok()?,
        };
        (cursor.ends >= 0 && cursor.skip >= 0).then_some(cursor)
    }

    fn text(self) -> String {
        format!("{}-{}-{}", self.operation, self.ends, self.skip)
    }
}

impl<R: Redis + Connect + 'static, T: Runtime + 'static> Cache<R, T> {
    /// The operations that something is cached for.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn registered(&self) -> Result<Vec<Registered>, RedisError> {
        let now = self.runtime.unix_ms() as i64;
        let operations = self.operations().await?;
        let counts = join_all(operations.iter().map(async |(module, operation)| {
            let count = vec![key::registry(module, operation).into(), now.into(), "+inf".into()];
            self.patiently(async || self.call_one("ZCOUNT", count.clone()).await).await
        }));
        let mut registered = Vec::with_capacity(operations.len());
        for ((module, operation), keys) in operations.iter().cloned().zip(counts.await) {
            let keys = count_in(&keys?);
            if keys > 0 {
                registered.push(Registered { module, operation, keys });
            }
        }
        Ok(registered)
    }

    /// What is cached for a module (all, if none is named) and an operation (all of them), up to `limit` entries from
    /// `cursor` on, which a page before gave. A page may be shorter, and even empty, with more to come. `Ok(None)`:
    /// no page gave this cursor.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn entries(
        &self,
        module: Option<&str>,
        operation: Option<&str>,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Option<Page>, RedisError> {
        let Some(mut at) = cursor.map_or(Some(Cursor::default()), Cursor::parse) else { return Ok(None) };
        let mut operations = self.operations().await?;
        operations.retain(|(of, called)| module.is_none_or(|m| m == of) && operation.is_none_or(|o| o == called));
        let mut page = Page::default();
        while let Some((module, operation)) = operations.get(at.operation) {
            let wanted = limit - page.entries.len();
            let members = self.members(&key::registry(module, operation), at, wanted).await?;
            let more = members.len() == wanted;
            for (_, ends) in &members {
                at.skip = if *ends == at.ends { at.skip + 1 } else { 1 };
                at.ends = *ends;
            }
            page.entries.extend(self.describe(module, operation, members).await?);
            if more {
                page.next = Some(at.text());
                return Ok(Some(page));
            }
            at = Cursor { operation: at.operation + 1, ..Cursor::default() };
        }
        Ok(Some(page))
    }

    /// Members of a registry with their ends, in that order.
    async fn members(
        &self,
        registry: &str,
        at: Cursor,
        limit: usize,
    ) -> Result<Vec<(Option<Member>, i64)>, RedisError> {
        let from = at.ends.max(self.runtime.unix_ms() as i64);
        let skip = if from == at.ends { at.skip } else { 0 };
        let words: Vec<Arg> = vec![
            registry.into(),
            from.into(),
            "+inf".into(),
            "BYSCORE".into(),
            "LIMIT".into(),
            skip.into(),
            (limit as i64).into(),
            "WITHSCORES".into(),
        ];
        let replies = self.patiently(async || self.call("ZRANGE", words.clone()).await).await?;
        let pairs = replies.chunks_exact(2).filter_map(|pair| {
            // What somebody else put there is passed over, and counts.
            Some((Member::from_reply(&pair[0]), pair[1].as_int()?))
        });
        Ok(pairs.collect())
    }

    /// Those of the members that are there and current.
    async fn describe(
        &self,
        module: &str,
        operation: &str,
        members: Vec<(Option<Member>, i64)>,
    ) -> Result<Vec<Listed>, RedisError> {
        let mut listed = Vec::new();
        for chunk in members.chunks(WIDTH) {
            let members: Vec<&Member> = chunk.iter().filter_map(|(member, _)| member.as_ref()).collect();
            let bases = self.patiently(async || self.bases_of(&members, &Numbers::new()).await).await?;
            let found = join_all(members.iter().zip(bases).map(async |(member, basis)| {
                let Some(basis) = basis else { return Ok(None) };
                let key = member.place.entry_key(basis);
                let (ttl, size, head) = join3(
                    self.call_one("PTTL", vec![key.as_str().into()]),
                    self.call_one("STRLEN", vec![key.as_str().into()]),
                    self.call_one("GETRANGE", vec![key.as_str().into(), 0.into(), envelope::HEADER_END.into()]),
                )
                .await;
                let (ttl, size, head) = (ttl?, size?, head?);
                let named_is_current = || {
                    let open = head.into_bytes().and_then(envelope::Envelope::open);
                    open.is_some_and(|open| open.basis.version == basis.version)
                };
                let is_current = !member.place.is_named() || named_is_current();
                let ttl_ms = count_in(&ttl);
                let entry = Listed {
                    key,
                    name: member.name().map(str::to_owned),
                    module: module.to_owned(),
                    operation: operation.to_owned(),
                    ttl_ms,
                    size: count_in(&size),
                    version: basis.version.number(),
                };
                Ok((is_current && ttl_ms > 0).then_some(entry))
            }));
            for entry in found.await {
                // A key of another type is no entry.
                match entry {
                    Ok(entry) => listed.extend(entry),
                    Err(RedisError::Refused(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(listed)
    }

    /// How Redis is: INFO and DBSIZE.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn server(&self) -> Result<Server, RedisError> {
        self.patiently(async || {
            let info = |section: &str| self.call_one("INFO", vec![section.into()]);
            let ((memory, stats), keys) =
                join(join(info("memory"), info("stats")), self.call_one("DBSIZE", Vec::new())).await;
            let number = |info: Reply, name: &str| {
                let bytes = info.into_bytes().unwrap_or_default();
                let text = String::from_utf8_lossy(&bytes).into_owned();
                text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.trim().parse().ok())
            };
            Ok(Server {
                used_memory: number(memory?, "used_memory").unwrap_or(0),
                evicted_keys: number(stats?, "evicted_keys").unwrap_or(0),
                keys: count_in(&keys?),
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_what_its_text_says() {
        let cursor = Cursor { operation: 3, ends: 1_795_219_200_000, skip: 2 };
        assert_eq!(Cursor::parse(&cursor.text()), Some(cursor));
        for other in ["", "1", "1-2", "a-b-c", "1--2-3", "-1-2-3", "1-2-3-4"] {
            assert_eq!(Cursor::parse(other), None, "{other}");
        }
    }
}
