//! Lists all locks, with SCAN on one server after the other.

use std::fmt;

use futures_util::future::join_all;
use ports::{Connect, RedisError, Reply, Runtime};

use super::Locks;
use crate::outcome::{LockError, Page};
use crate::quorum::Server;
use crate::resource::Resource;

/// About how many keys a page looks at.
const SCAN_COUNT: i64 = 100;

/// Where a page begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cursor {
    /// The index of the server.
    server: usize,
    /// The cursor of SCAN on this server.
    position: u64,
    /// How many servers before this one failed.
    skipped: usize,
}

impl<R: Connect, T: Runtime> Locks<R, T> {
    /// A page of all locks. `cursor` is `None` for the first page, then [`Page::next`] of the page before.
    ///
    /// # Errors
    /// [`LockError::Unavailable`], [`LockError::InvalidCursor`].
    pub async fn list(&self, cursor: Option<&str>) -> Result<Page, LockError> {
        let servers = &self.quorum.servers;
        let start = cursor.map_or(Some(Cursor::default()), Cursor::parse).filter(|start| start.server < servers.len());
        let mut at = start.ok_or(LockError::InvalidCursor)?;
        let (position, keys) = loop {
            let Some(server) = servers.get(at.server) else { return Ok(Page { locks: Vec::new(), next: None }) };
            match server.run_for_holder(scan(server, at.position)).await {
                Ok(found) => break found,
                // A majority keeps each lock. While only a minority fails, one of the other servers has it too.
                Err(_) if 2 * (at.skipped + 1) < servers.len() => {
                    at = Cursor { skipped: at.skipped + 1, ..at.next_server() };
                }
                Err(error) => return Err(LockError::Unavailable(error.to_string())),
            }
        };
        // A key that is not a valid resource was written by another program.
        let resources: Vec<_> = keys.iter().filter_map(|key| Resource::from_key(key).ok()).collect();
        let inspected = join_all(resources.iter().map(|resource| self.inspect(resource))).await;
        let mut locks = Vec::new();
        for (resource, inspected) in resources.into_iter().zip(inspected) {
            let inspected = inspected?;
            if inspected.held.is_some() {
                locks.push((resource, inspected));
            }
        }
        let next = if position == 0 { at.next_server() } else { Cursor { position, ..at } };
        let next = (next.server < servers.len()).then(|| next.to_string());
        Ok(Page { locks, next })
    }
}

/// Some keys of locks, and the position after them (0: there are no more).
async fn scan<R: Connect, T: Runtime>(server: &Server<R, T>, position: u64) -> Result<(u64, Vec<String>), RedisError> {
    let args =
        vec![position.to_string().into(), "MATCH".into(), Resource::ALL_KEYS.into(), "COUNT".into(), SCAN_COUNT.into()];
    let mut texts = server.client.send("SCAN", args).await?.into_iter().filter_map(Reply::into_bytes);
    let position = texts.next().and_then(|bytes| String::from_utf8(bytes).ok()?.parse().ok());
    let position = position.ok_or_else(|| RedisError::Refused("SCAN returned no cursor".to_owned()))?;
    Ok((position, texts.filter_map(|bytes| String::from_utf8(bytes).ok()).collect()))
}

impl Cursor {
    fn next_server(self) -> Self {
        Self { server: self.server + 1, position: 0, ..self }
    }

    /// The inverse of `to_string`.
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('.');
        let mut next = || numbers.next()?.parse::<u64>().ok();
        let (server, position, skipped) = (next()?, next()?, next()?);
        let parsed = Self { server: server.try_into().ok()?, position, skipped: skipped.try_into().ok()? };
        // Each server that failed is one of those before this one.
        (parsed.to_string() == text && parsed.skipped <= parsed.server).then_some(parsed)
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
    fn only_cursors_that_a_page_returned_are_valid() {
        let cursor = Cursor { server: 2, position: 117, skipped: 1 };
        assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
        for text in ["", "1", "1.2", "1.2.x", "1.2.0.4", "-1.2.0", "01.2.0", "1.2.2", "1.2.18446744073709551615"] {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
    }
}
