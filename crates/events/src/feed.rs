//! One stream, read once for all readers of an instance.
//!
//! The requests of an instance are separate tasks that cannot wake one another. So each reader looks at the buffer from
//! time to time. If the last reading is older than [`INTERVAL_MS`], this reader reads Redis, and all readers use the
//! result.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use ports::{Arg, Client, Connect, RedisError, Runtime};

use crate::buffer::{Buffer, Reading};
use crate::page::{Entry, entries};
use crate::stream_id::StreamId;
use crate::subscription::Subscription;

/// How often the stream is read while there are readers, and how often a reader should look, in ms.
pub const INTERVAL_MS: u64 = 200;

/// The shortest deadline of one reading, in ms. It is longer than that of other commands, because a page may have
/// megabytes.
const TIMEOUT_MIN_MS: u64 = 1_000;

/// How many entries are read at once for all readers. Every reader looks once in an interval, so it gets all of them
/// before the buffer drops them.
const PAGE: usize = 256;

/// The readers of one stream in this instance.
pub struct Feed<R: Connect, T> {
    client: Rc<Client<R, T>>,
    stream: &'static str,
    pub(crate) buffer: RefCell<Buffer>,
    /// How many readers use the buffer.
    pub(crate) live: Cell<usize>,
    is_reading: Cell<bool>,
    /// When the stream is read again, in ms of the monotonic clock.
    due_ms: Cell<u64>,
    /// Whether the stream has more than the last reading.
    is_behind: Cell<bool>,
}

/// Allows the next reader to read, also if this one is cancelled.
struct IsReading<'a>(&'a Cell<bool>);

impl Drop for IsReading<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl<R: Connect, T: Runtime> Feed<R, T> {
    /// The readers of `stream`. Reads nothing yet.
    pub fn new(client: Rc<Client<R, T>>, stream: &'static str) -> Rc<Self> {
        let (live, is_reading, due_ms, is_behind) = Default::default();
        Rc::new(Self { client, stream, buffer: RefCell::default(), live, is_reading, due_ms, is_behind })
    }

    /// A new reader, of what comes after the entry `after`. [`StreamId::ZERO`]: of all that the stream has. `None`: of
    /// what comes from now on.
    ///
    /// # Errors
    /// Redis does not reply, or the key is not a stream.
    pub async fn subscribe(self: &Rc<Self>, after: Option<StreamId>) -> Result<Subscription<R, T>, RedisError> {
        Subscription::start(Rc::clone(self), after).await
    }

    /// The id of the newest entry; [`StreamId::START`] if there is none.
    pub(crate) async fn newest(&self) -> Result<StreamId, RedisError> {
        let args = vec![self.stream.into(), "+".into(), "-".into(), "COUNT".into(), 1_i64.into()];
        Ok(self.entries("XREVRANGE", args).await?.first().map_or(StreamId::START, |entry| entry.id))
    }

    async fn entries(&self, command: &str, args: Vec<Arg>) -> Result<Vec<Entry>, RedisError> {
        let timeout_ms = self.client.timeout_for(&args).max(TIMEOUT_MIN_MS);
        self.client.within(timeout_ms, self.client.send(command, args)).await.map(entries)
    }

    /// Up to `count` entries after the entry `after`.
    pub(crate) async fn read_after(&self, after: StreamId, count: usize) -> Result<Reading, RedisError> {
        // The entry `after` is read again. If it is missing, others after it may be missing, too: streams are trimmed
        // from the beginning.
        let is_entry = after > StreamId::START;
        let (start, expected) = if is_entry { (after.to_string(), count + 1) } else { ("-".to_owned(), count) };
        let args = vec![self.stream.into(), start.into(), "+".into(), "COUNT".into(), (expected as i64).into()];
        let mut entries = self.entries("XRANGE", args).await?;
        let is_full = entries.len() >= expected;
        // Since the stream was empty, only few entries have come if all of them fit into one page. If not, the first
        // ones may have been trimmed.
        let mut is_gap = is_entry || (after == StreamId::START && is_full);
        if entries.first().is_some_and(|first| first.id == after) {
            entries.remove(0);
            is_gap = false;
        }
        Ok(Reading { is_gap, entries, is_full })
    }

    /// Reads what is new into the buffer, unless that was done lately or another reader does it. After an error the
    /// next reading continues at the same entry.
    pub(crate) async fn refresh(&self) {
        if self.now_ms() < self.due_ms.get() || self.is_reading.get() || !self.client.admits() {
            return;
        }
        self.is_reading.set(true);
        let _is_reading = IsReading(&self.is_reading);
        let after = self.buffer.borrow().end();
        if let Ok(reading) = self.read_after(after, PAGE).await {
            self.is_behind.set(reading.is_full);
            self.buffer.borrow_mut().append(after, reading);
        }
        self.due_ms.set(self.now_ms() + self.pause_ms());
    }

    /// How long readers wait until they look again, in ms: less than [`INTERVAL_MS`] while the stream has more than was
    /// read. So the readers of an instance keep up with about 5,000 events per second.
    pub(crate) fn pause_ms(&self) -> u64 {
        if self.is_behind.get() { INTERVAL_MS / 4 } else { INTERVAL_MS }
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.client.runtime().monotonic_ms()
    }
}
