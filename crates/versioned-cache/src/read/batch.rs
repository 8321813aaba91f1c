//! Looking many entries up: one MGET when the hints are right.

use std::collections::HashMap;

use ports::{Arg, Connect, REPLY_MAX, RedisError, Reply, Runtime};

use super::hints::Hint;
use super::lookup::{Found, Lookup, Reader};
use crate::entry::{Entry, EntryId, Versions};
use crate::key;

/// How many commands a batch has in flight at once.
pub(crate) const BATCH_WIDTH: usize = 64;

/// What the cache has for one entry of a batch.
pub(crate) struct Seen {
    /// The current versions, or the replies if some version was lost.
    pub versions: Result<Versions, Vec<Reply>>,
    /// The value under the current versions; empty: absent.
    pub value: Option<Vec<u8>>,
    /// 0: not known.
    pub ttl_ms: u64,
}

/// The keys of one MGET, each once.
#[derive(Default)]
struct Keys {
    keys: Vec<Arg>,
    positions: HashMap<String, usize>,
    /// How many entries need each key.
    uses: Vec<u32>,
}

impl Keys {
    /// The position of the reply for `key`.
    fn add(&mut self, key: String) -> usize {
        let position = *self.positions.entry(key).or_insert_with_key(|key| {
            self.keys.push(key.as_str().into());
            self.uses.push(0);
            self.keys.len() - 1
        });
        self.uses[position] += 1;
        position
    }
}

impl<R: Connect, T: Runtime> Reader<R, T> {
    /// Looks many entries up: one round trip, or two if hints are missing or wrong. It changes nothing in Redis.
    pub(crate) async fn look_up_many(&self, entries: &[Entry]) -> Result<Vec<Seen>, RedisError> {
        let mut keys = Keys::default();
        let asked: Vec<_> = entries
            .iter()
            .map(|entry| {
                let versions: Vec<usize> = entry.version_keys().into_iter().map(|key| keys.add(key)).collect();
                let hint = self.hints.get(&entry.id);
                let key = match &entry.id {
                    EntryId::Named { path } => Some(key::named_entry(path)),
                    EntryId::Scoped { .. } => hint.map(|hint| entry.key(hint.versions)),
                };
                (versions, hint, key.map(|key| keys.add(key)))
            })
            .collect();
        let mut replies = self.client.call_large("MGET", keys.keys).await?;
        replies.resize(keys.uses.len(), Reply::Nil);
        // A value may be large, so it is moved if only one entry needs it.
        let mut reply = |at: usize| {
            if keys.uses[at] == 1 { std::mem::replace(&mut replies[at], Reply::Nil) } else { replies[at].clone() }
        };

        let mut seen = Vec::with_capacity(entries.len());
        // Values that are small in Redis can be large when they are decompressed. They have the limit of a reply, too.
        let mut room = REPLY_MAX;
        let mut take = |value: &Option<Vec<u8>>| take_room(&mut room, value);
        let mut again = Vec::new();
        for (at, (entry, (versions, hint, value))) in entries.iter().zip(asked).enumerate() {
            let versions: Vec<Reply> = versions.into_iter().map(&mut reply).collect();
            let value = value.map(&mut reply);
            let Some(versions) = Versions::from_replies(&versions) else {
                seen.push(Seen { versions: Err(versions), value: None, ttl_ms: 0 });
                continue;
            };
            let (value, ttl_ms) = match (value, hint) {
                (Some(value), _) if entry.is_named() => match self.open(entry, versions, value).unless_ended() {
                    Lookup::Found(Found { value, ttl_ms, .. }) => (Some(value), ttl_ms.max(0) as u64),
                    Lookup::Missing { .. } => (None, 0),
                },
                (Some(value), Some(hint)) if hint.versions == versions => (self.open_fresh(entry, value), 0),
                _ => {
                    again.push((at, versions));
                    (None, 0)
                }
            };
            take(&value)?;
            seen.push(Seen { versions: Ok(versions), value, ttl_ms });
        }
        if !again.is_empty() {
            let keys = again.iter().map(|(at, versions)| entries[*at].key(*versions).into()).collect();
            for ((at, versions), value) in again.into_iter().zip(self.client.call_large("MGET", keys).await?) {
                seen[at].value = self.open_fresh(&entries[at], value);
                take(&seen[at].value)?;
                if seen[at].value.is_some() {
                    // Its end is not known: the next read of this entry alone asks for it.
                    self.hints.set(&entries[at].id, Hint { versions, expires_ms: 0 });
                }
            }
        }
        Ok(seen)
    }
}

/// Takes the bytes of a value from the room that is left.
fn take_room(room: &mut usize, value: &Option<Vec<u8>>) -> Result<(), RedisError> {
    let left = room.checked_sub(value.as_ref().map_or(0, Vec::len));
    *room = left.ok_or_else(|| RedisError::Refused(format!("{} of {REPLY_MAX} bytes", RedisError::TOO_LARGE)))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_a_batch_have_a_limit() {
        let mut room = 5;
        assert_eq!(take_room(&mut room, &Some(vec![0; 3])), Ok(()));
        assert_eq!(take_room(&mut room, &None), Ok(()));
        assert!(matches!(take_room(&mut room, &Some(vec![0; 3])), Err(RedisError::Refused(_))));
        assert_eq!((take_room(&mut room, &Some(vec![0; 2])), room), (Ok(()), 0));
    }
}
