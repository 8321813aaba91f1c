//! Finding an entry: one round trip if the hint is right or the entry is named, two if not.

use futures_util::future::join;
use ports::{Arg, Connect, Redis, RedisError, Reply, Runtime};

use crate::Cache;
use crate::basis::Basis;
use crate::entry::Entry;
use crate::envelope::Envelope;
use crate::hints::Hint;
use crate::place::Place;
use crate::stats::Event;

/// What the cache knows of an entry. Whatever it says held at one instant after the lookup began.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// The value on the current basis (empty: known to be absent), and when it ends (monotonic ms).
    Found { basis: Basis, value: Vec<u8>, expires_ms: u64 },
    /// The current basis has no entry.
    Missing { basis: Basis },
}

/// What is there is not what this program stores.
pub(crate) struct Corrupt;

impl<R: Redis + Connect + 'static, T: Runtime + 'static> Cache<R, T> {
    pub(crate) async fn look_up(&self, entry: &Entry) -> Result<Lookup, RedisError> {
        match &entry.place {
            Place::Scoped { .. } => self.look_up_scoped(entry).await,
            Place::Named { path } => {
                let (current, value) = self.ask_for(entry, Some(crate::key::named_entry(path))).await?;
                match current {
                    Ok(basis) => Ok(self.open(entry, basis, value)),
                    Err((version, others)) => {
                        let basis = self.start(entry, version, others).await?;
                        Ok(Lookup::Missing { basis })
                    }
                }
            }
        }
    }

    /// What a named entry's key holds, seen from the current basis. Something that nobody here wrote is counted.
    pub(crate) fn open(&self, entry: &Entry, basis: Basis, there: Reply) -> Lookup {
        match self.opened(entry, basis, there) {
            Ok(Some(found)) => {
                let left_ms = found.ends_unix_ms.saturating_sub(self.runtime.unix_ms());
                let expires_ms = self.runtime.monotonic_ms() + left_ms;
                Lookup::Found { basis, value: found.value, expires_ms }
            }
            Ok(None) => Lookup::Missing { basis },
            Err(Corrupt) => {
                self.count(entry, Event::Corrupt);
                Lookup::Missing { basis }
            }
        }
    }

    /// What a named entry's key holds on this basis.
    pub(crate) fn opened(&self, entry: &Entry, basis: Basis, there: Reply) -> Result<Option<Envelope>, Corrupt> {
        let Some(bytes) = there.into_bytes() else { return Ok(None) };
        let found = Envelope::open(bytes).ok_or(Corrupt)?;
        if found.basis != basis || self.is_over(&found) {
            return Ok(None);
        }
        let is_valid = found.value.is_empty() || entry.check.is_none_or(|check| check(&found.value));
        if is_valid { Ok(Some(found)) } else { Err(Corrupt) }
    }

    async fn look_up_scoped(&self, entry: &Entry) -> Result<Lookup, RedisError> {
        let hint = self.hints.get(&entry.place);
        let (current, value) = self.ask_for(entry, hint.map(|hint| entry.key(hint.basis))).await?;
        let basis = match (current, hint) {
            (Ok(basis), Some(hint)) if hint.basis == basis => {
                return match value.into_bytes() {
                    // The entry outlived what we know of it: somebody else filled it again under the same version.
                    Some(value) if hint.expires_ms <= self.runtime.monotonic_ms() => {
                        let left = self.call_one("PTTL", vec![entry.key(basis).into()]).await?;
                        Ok(self.found(entry, basis, value, &left))
                    }
                    Some(value) => Ok(Lookup::Found { basis, value, expires_ms: hint.expires_ms }),
                    None => Ok(Lookup::Missing { basis }),
                };
            }
            (Ok(basis), _) => basis,
            (Err((version, others)), _) => {
                let basis = self.start(entry, version, others).await?;
                return Ok(Lookup::Missing { basis });
            }
        };
        // Between the two commands a write may end: the answer is then older than that write, but the write was not
        // acknowledged before this read began.
        let key = entry.key(basis);
        let (value, left) =
            join(self.call_one("MGET", vec![key.as_str().into()]), self.call_one("PTTL", vec![key.as_str().into()]))
                .await;
        match value?.into_bytes() {
            Some(value) => Ok(self.found(entry, basis, value, &left?)),
            None => Ok(Lookup::Missing { basis }),
        }
    }

    /// Asks for the basis of an entry and, if it is known where that would be, for its value, in one command: MGET is
    /// atomic, and unlike GET it takes a key of another type for missing. Of a basis with lost numbers it gives the
    /// replies.
    pub(crate) async fn ask_for(
        &self,
        entry: &Entry,
        key: Option<String>,
    ) -> Result<(Result<Basis, (Reply, Vec<Reply>)>, Reply), RedisError> {
        let others = entry.other_keys();
        let count = others.len();
        let keys = std::iter::once(entry.version_key()).chain(others).chain(key).map(Arg::from).collect();
        let mut replies = self.call("MGET", keys).await?.into_iter();
        let version = replies.next().unwrap_or(Reply::Nil);
        let others: Vec<Reply> = replies.by_ref().take(count).collect();
        let value = replies.next().unwrap_or(Reply::Nil);
        Ok((Basis::from_replies(&version, &others).ok_or((version, others)), value))
    }

    fn found(&self, entry: &Entry, basis: Basis, value: Vec<u8>, left: &Reply) -> Lookup {
        let left_ms = left.as_int().and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0);
        let expires_ms = self.runtime.monotonic_ms() + left_ms;
        self.hints.set(entry.place.clone(), Hint { basis, expires_ms });
        Lookup::Found { basis, value, expires_ms }
    }

    /// Whether an entry has outlived its end, and Redis does not know: whoever set it died before it could say so.
    fn is_over(&self, found: &Envelope) -> bool {
        found.ends_unix_ms + self.settings.mark_ms < self.runtime.unix_ms()
    }
}
