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

/// A hash with this many fields gets no new ones whose names clients have chosen: they would stay there for ever.
const FIELDS_MAX: i64 = 5_000;

/// One counter: a field of a hash in Redis. Equal names mean the same counter, in all components and instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counter {
    hash: &'static str,
    names: [&'static str; NAMES],
    /// What is counted instead once the hash has [`FIELDS_MAX`] fields; `None`: the names come from the program.
    instead: Option<[&'static str; NAMES]>,
}

impl Counter {
    /// The counter in the field `names` of `hash`, which Redis shows with colons between the names. So only the last
    /// name may contain a colon.
    ///
    /// # Panics
    /// If there are more than six names.
    pub fn new<const N: usize>(hash: &'static str, names: [&'static str; N]) -> Self {
        Self { hash, names: padded(names), instead: None }
    }

    /// The same counter with names that clients have chosen. If the hash had very many fields when this instance first
    /// sent such a counter, the field `names` is counted instead.
    ///
    /// # Panics
    /// If there are more than six names.
    #[must_use]
    pub fn unless_full<const N: usize>(self, names: [&'static str; N]) -> Self {
        Self { instead: Some(padded(names)), ..self }
    }

    /// `has_room`: the hash may get new fields whose names clients have chosen.
    fn field(&self, has_room: bool) -> String {
        let names = self.instead.filter(|_| !has_room).unwrap_or(self.names);
        let count = names.iter().position(|name| name.is_empty()).unwrap_or(NAMES);
        names[..count].join(":")
    }
}

fn padded<const N: usize>(names: [&'static str; N]) -> [&'static str; NAMES] {
    let mut all = [""; NAMES];
    all[..N].copy_from_slice(&names);
    all
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
    /// Whether the hash may get new fields whose names clients have chosen; `None`: this instance has not asked yet. It
    /// asks once, so its callers must bound how many names one instance adds.
    has_room: Cell<Option<bool>>,
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
        Rc::new(Self {
            client,
            pending: RefCell::default(),
            sending: Rc::default(),
            on_the_way: Cell::default(),
            has_room: Cell::default(),
        })
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
        if self.look_for_room().await.is_err() {
            return;
        }
        let has_room = self.has_room.get() == Some(true);
        let batch: Vec<_> =
            self.pending.take().into_iter().map(|(counter, times)| (counter, Cell::new(times))).collect();
        // One deadline for all, because each deadline costs a timer of the host.
        let sent = self.client.within_timeout(self.send_batch(&batch, has_room)).await;
        if let Err(RedisError::Unreachable(_)) = sent {
            let mut pending = self.pending.borrow_mut();
            for (counter, times) in batch.into_iter().filter(|(_, times)| times.get() != 0) {
                *pending.entry(counter).or_default() += times.get();
            }
        }
    }

    /// Adds each number to its counter in Redis, and sets the number to 0 when Redis has taken or refused it.
    async fn send_batch(&self, batch: &[(Counter, Cell<i64>)], has_room: bool) -> Result<(), RedisError> {
        let send_one = async |(counter, times): &(Counter, Cell<i64>)| {
            let args = vec![counter.hash.into(), counter.field(has_room).into(), times.get().into()];
            let sent = self.client.send("HINCRBY", args).await;
            if !matches!(sent, Err(RedisError::Unreachable(_))) {
                times.set(0);
            }
            sent.map(drop)
        };
        let sent = join_all(batch.iter().map(send_one)).await;
        let unreachable = sent.into_iter().find(|sent| matches!(sent, Err(RedisError::Unreachable(_))));
        unreachable.unwrap_or(Ok(()))
    }

    /// Asks how many fields the hash has, if that is not known and a count depends on it. Fails if Redis is
    /// unreachable.
    async fn look_for_room(&self) -> Result<(), RedisError> {
        let limited =
            self.pending.borrow().keys().find(|counter| counter.instead.is_some()).map(|counter| counter.hash);
        if let Some(hash) = limited.filter(|_| self.has_room.get().is_none()) {
            let fields = match self.client.call_one("HLEN", vec![hash.into()]).await {
                Err(error @ RedisError::Unreachable(_)) => return Err(error),
                reply => reply.ok().and_then(|reply| reply.as_int()),
            };
            self.has_room.set(Some(fields.is_some_and(|fields| fields < FIELDS_MAX)));
        }
        Ok(())
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
        self.client.retry_call("DEL", vec![hash.into()]).await?;
        self.has_room.set(None);
        Ok(())
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
        assert_eq!(Counter::new("metrics", ["lock", "acquired"]).field(false), "lock:acquired");
        assert_eq!(Counter::new("metrics", ["a", "b", "c", "d", "e", "f"]).field(false), "a:b:c:d:e:f");
    }

    #[test]
    fn names_of_clients_are_replaced_in_a_full_hash() {
        let counter = Counter::new("cache:stats", ["posts", "list", "hits"]).unless_full(["other", "other", "hits"]);
        assert_eq!(counter.field(true), "posts:list:hits");
        assert_eq!(counter.field(false), "other:other:hits");
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
