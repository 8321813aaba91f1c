//! Counters in Redis that all instances add to. They do not slow responses down: an instance collects what it counts in
//! memory for some milliseconds, and sends it after the responses.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use futures_util::future::{join, join_all};
use ports::{Client, Connect, RedisError, Reply, Runtime};

/// How long counts are collected before they are sent, in ms. Under load this makes the counters almost free; a request
/// ends this much later, after its response. The first count after a pause is sent at once.
const COLLECT_MS: u64 = 5;

/// How long a reader of counters waits for other instances, in ms. After this time, they have usually sent what they
/// counted before.
const OTHERS_MS: u64 = COLLECT_MS + 1;
/// The pause between two checks whether the counts that this instance is sending have arrived, in ms.
const ARRIVAL_POLL_MS: u64 = 1;
/// How many of these checks a reader of counters makes.
const ARRIVAL_POLLS: u64 = 200;

/// How many names a field can have at most.
const NAMES: usize = 6;

/// One counter: a field of a hash in Redis. Equal names mean the same counter, in all components and instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counter {
    hash: &'static str,
    names: [&'static str; NAMES],
}

impl Counter {
    /// The counter in the field `names` of `hash`, which Redis shows with colons between the names. So only the last
    /// name may contain a colon.
    ///
    /// # Panics
    /// If there are more than six names.
    pub fn new<const N: usize>(hash: &'static str, names: [&'static str; N]) -> Self {
        let mut all = [""; NAMES];
        all[..N].copy_from_slice(&names);
        Self { hash, names: all }
    }

    fn field(&self) -> String {
        let names = self.names.iter().position(|name| name.is_empty()).unwrap_or(NAMES);
        self.names[..names].join(":")
    }
}

/// Counts what happens in this instance.
pub struct Recorder<R: Connect, T> {
    client: Rc<Client<R, T>>,
    /// What Redis does not know yet.
    pending: RefCell<BTreeMap<Counter, i64>>,
    /// Whether a sender is running.
    sending: Rc<Cell<bool>>,
    /// How many batches are on their way to Redis.
    on_the_way: Cell<usize>,
}

/// A batch on its way, until this is dropped.
struct OnTheWay<'a>(&'a Cell<usize>);

impl Drop for OnTheWay<'_> {
    fn drop(&mut self) {
        self.0.update(|batches| batches - 1);
    }
}

/// Allows the next count to start a sender, also if this sender is cancelled with its request.
struct Sending(Rc<Cell<bool>>);

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl<R: Connect, T: Runtime> Recorder<R, T> {
    /// A recorder that sends what it counts through `client`.
    pub fn new(client: Rc<Client<R, T>>) -> Rc<Self> {
        Rc::new(Self { client, pending: RefCell::default(), sending: Rc::default(), on_the_way: Cell::default() })
    }

    /// Adds `times` to a counter. This only writes to memory; Redis gets it after the response.
    pub fn count(self: &Rc<Self>, counter: Counter, times: i64) {
        *self.pending.borrow_mut().entry(counter).or_default() += times;
        if !self.sending.replace(true) {
            let (recorder, sending) = (Rc::clone(self), Sending(Rc::clone(&self.sending)));
            self.client.runtime().spawn(async move {
                recorder.send().await;
                recorder.client.runtime().sleep(COLLECT_MS).await;
                drop(sending);
                recorder.send().await;
            });
        }
    }

    /// Sends what was collected. What Redis does not take while it is unreachable is kept for the next time.
    pub async fn send(&self) {
        if self.pending.borrow().is_empty() || !self.client.admits() {
            return;
        }
        self.on_the_way.update(|batches| batches + 1);
        let _on_the_way = OnTheWay(&self.on_the_way);
        join_all(self.pending.take().into_iter().map(async |(counter, times)| {
            let sent =
                self.client.call("HINCRBY", vec![counter.hash.into(), counter.field().into(), times.into()]).await;
            if let Err(RedisError::Unreachable(_)) = sent {
                *self.pending.borrow_mut().entry(counter).or_default() += times;
            }
        }))
        .await;
    }

    /// Sends what this instance has counted, and waits until batches that were sent before have arrived, too.
    async fn flush(&self) {
        self.send().await;
        // It polls, because the requests of an instance are separate tasks that cannot wake one another.
        for _ in 0..ARRIVAL_POLLS {
            if self.on_the_way.get() == 0 {
                return;
            }
            self.client.runtime().sleep(ARRIVAL_POLL_MS).await;
        }
    }

    /// The fields and values of all counters of a hash. What this instance has counted is included, and what other
    /// instances counted some milliseconds ago. A field of another program whose value is not a number, or is negative,
    /// is left out.
    ///
    /// # Errors
    /// Redis is unreachable in all attempts, or the key is not a hash.
    pub async fn read(&self, hash: &'static str) -> Result<Vec<(String, u64)>, RedisError> {
        join(self.flush(), self.client.runtime().sleep(OTHERS_MS)).await;
        let replies = self.client.retry_call("HGETALL", vec![hash.into()]).await?;
        let (pairs, _) = replies.as_chunks::<2>();
        Ok(pairs.iter().filter_map(counter_of).collect())
    }

    /// Sets all counters of a hash to zero.
    ///
    /// # Errors
    /// As [`Recorder::read`].
    pub async fn reset(&self, hash: &'static str) -> Result<(), RedisError> {
        join(self.flush(), self.client.runtime().sleep(OTHERS_MS)).await;
        self.client.retry_call("DEL", vec![hash.into()]).await.map(drop)
    }
}

fn counter_of([field, value]: &[Reply; 2]) -> Option<(String, u64)> {
    let Reply::Bytes(field) = field else { return None };
    Some((str::from_utf8(field).ok()?.to_owned(), value.as_int()?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_the_names_with_colons_between_them() {
        assert_eq!(Counter::new("metrics", ["lock", "acquired"]).field(), "lock:acquired");
        assert_eq!(Counter::new("metrics", ["a", "b", "c", "d", "e", "f"]).field(), "a:b:c:d:e:f");
    }

    #[test]
    fn what_is_not_a_counter_is_left_out() {
        let bytes = |text: &str| Reply::Bytes(text.into());
        assert_eq!(counter_of(&[bytes("lock:lost"), bytes("3")]), Some(("lock:lost".to_owned(), 3)));
        for value in ["-1", "many", ""] {
            assert_eq!(counter_of(&[bytes("lock:lost"), bytes(value)]), None);
        }
    }
}
