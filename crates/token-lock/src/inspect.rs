//! Looking at locks without touching them.

use std::fmt;

use futures_util::future::{join, join_all};
use ports::{Connect, Redis, RedisError, Reply, Runtime};

use crate::Locks;
use crate::fencing::number;
use crate::outcome::{Held, Inspected, LockError, Page};
use crate::quorum::Ballot;
use crate::resource::Resource;
use crate::server::Server;

/// How many keys a page looks at, about.
const SCAN_COUNT: i64 = 100;

/// What one server knows of a resource.
#[derive(Clone, Debug)]
struct Seen {
    /// The token; `None` also for a value that is none, which somebody else wrote.
    value: Option<Vec<u8>>,
    /// `None`: free.
    held: Option<Held>,
    fencing: Option<u64>,
}

impl Seen {
    fn same_holder(&self, other: &Self) -> bool {
        self.held.is_some() == other.held.is_some() && self.value == other.value
    }
}

impl<R: Redis + Connect, T: Runtime> Server<R, T> {
    async fn look(&self, resource: &Resource) -> Result<Seen, RedisError> {
        let key = resource.key();
        let get = self.call_all("MGET", vec![key.as_str().into(), resource.fencing_key().into()]);
        let (values, ttl) = join(get, self.call("PTTL", vec![key.as_str().into()])).await;
        let mut values = values?.into_iter();
        let value = values.next().and_then(Reply::into_bytes);
        // -2: there is no such key; -1: it never expires.
        let held = match ttl?.as_int() {
            Some(-2) | None => None,
            Some(ttl) => Some(Held { ttl_ms: u64::try_from(ttl).ok() }),
        };
        let value = if held.is_some() { value } else { None };
        Ok(Seen { value, held, fencing: values.next().as_ref().and_then(number) })
    }
}

impl<R: Redis + Connect + 'static, T: Runtime + 'static> Locks<R, T> {
    /// Whether `resource` is held, and how long yet.
    ///
    /// # Errors
    /// [`LockError::Unavailable`].
    pub async fn inspect(&self, resource: &Resource) -> Result<Inspected, LockError> {
        let mut ballot = Ballot::new(&self.servers, |server| {
            let resource = resource.clone();
            async move {
                server.admit_holder()?;
                server.within_deadline(server.look(&resource)).await
            }
        });
        let agreed = |ballot: &Ballot<Seen>| {
            ballot.answers().map(|(_, seen)| seen).find(|seen| ballot.most(|other| other.same_holder(seen))).cloned()
        };
        ballot.until(|ballot| agreed(ballot).is_some()).await;
        self.linger(&mut ballot).await;
        if ballot.most(|_| true) {
            // Without agreement nobody has the majority, so nobody holds it.
            let agreed = agreed(&ballot).filter(|seen| seen.held.is_some());
            let held = agreed.map(|seen| {
                let same = ballot.answers().filter(|(_, other)| other.same_holder(&seen));
                // It ends when so many have ended that the rest is no majority.
                Held { ttl_ms: reached(same.filter_map(|(_, other)| other.held?.ttl_ms), ballot.majority()) }
            });
            // A counter that was lost and started anew may be ahead of the number that was granted.
            let fencing = reached(ballot.answers().filter_map(|(_, seen)| seen.fencing), ballot.majority());
            Ok(Inspected { held, fencing })
        } else {
            Err(ballot.error())
        }
    }

    /// What is held. `cursor` is `None` for the first page, then what the last one gave.
    ///
    /// # Errors
    /// [`LockError::Unavailable`], [`LockError::InvalidCursor`].
    pub async fn list(&self, cursor: Option<&str>) -> Result<Page, LockError> {
        let start =
            cursor.map_or(Some(Cursor::default()), Cursor::parse).filter(|start| start.server < self.servers.len());
        let mut here = start.ok_or(LockError::InvalidCursor)?;
        let (position, keys) = loop {
            let Some(server) = self.servers.get(here.server) else { return Ok(Page { locks: Vec::new(), next: None }) };
            let scanned = async {
                server.admit_holder()?;
                server.within_deadline(server.scan(here.position)).await
            };
            match scanned.await {
                Ok(found) => break found,
                // A lock is held on the majority, so one of the others has it too.
                Err(_) if 2 * (here.skipped + 1) < self.servers.len() => {
                    here = Cursor { skipped: here.skipped + 1, ..here.next_server() };
                }
                Err(error) => return Err(LockError::Unavailable(error.to_string())),
            }
        };
        // Keys that no resource can have were written by somebody else.
        let resources: Vec<_> = keys.iter().filter_map(|key| Resource::from_key(key).ok()).collect();
        let inspected = join_all(resources.iter().map(|resource| self.inspect(resource))).await;
        let mut locks = Vec::new();
        for (resource, inspected) in resources.into_iter().zip(inspected) {
            let inspected = inspected?;
            if inspected.held.is_some() {
                locks.push((resource, inspected));
            }
        }
        let next = if position == 0 { here.next_server() } else { Cursor { position, ..here } };
        let next = (next.server < self.servers.len()).then(|| next.to_string());
        Ok(Page { locks, next })
    }
}

impl<R: Redis + Connect, T: Runtime> Server<R, T> {
    /// The position after some keys of locks (0: there are no more), and these keys.
    async fn scan(&self, position: u64) -> Result<(u64, Vec<String>), RedisError> {
        let args = vec![
            position.to_string().into(),
            "MATCH".into(),
            Resource::ALL_KEYS.into(),
            "COUNT".into(),
            SCAN_COUNT.into(),
        ];
        let mut texts = self.call_all("SCAN", args).await?.into_iter().filter_map(Reply::into_bytes);
        let position = texts.next().and_then(|bytes| String::from_utf8(bytes).ok()?.parse().ok());
        let position = position.ok_or_else(|| RedisError::Refused("SCAN gave no cursor".to_owned()))?;
        Ok((position, texts.filter_map(|bytes| String::from_utf8(bytes).ok()).collect()))
    }
}

/// The greatest value that at least `majority` of `values` reach.
fn reached(values: impl Iterator<Item = u64>, majority: usize) -> Option<u64> {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable_by(|a, b| b.cmp(a));
    values.get(majority - 1).copied()
}

/// Where a list goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cursor {
    server: usize,
    /// Redis's own cursor.
    position: u64,
    /// How many servers before did not answer.
    skipped: usize,
}

impl Cursor {
    fn next_server(self) -> Self {
        Self { server: self.server + 1, position: 0, ..self }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('.');
        let mut next = || numbers.next()?.parse::<u64>().ok();
        let (server, position, skipped) = (next()?, next()?, next()?);
        let parsed = Self { server: server.try_into().ok()?, position, skipped: skipped.try_into().ok()? };
        (parsed.to_string() == text).then_some(parsed)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.server, self.position, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_those_that_were_given_out() {
        let cursor = Cursor { server: 2, position: 117, skipped: 1 };
        assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
        for text in ["", "1", "1.2", "1.2.x", "1.2.3.4", "-1.2.3", "01.2.3", "1.2.99999999999999999999"] {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
    }
}
