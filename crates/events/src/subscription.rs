//! One reader of a stream.
//!
//! It first reads Redis itself until it has reached the end of the stream, or the part that the buffer has. From then
//! on it is *live*: it uses the buffer that all live readers share.

use std::rc::Rc;

use ports::{Connect, RedisError, Runtime};

use crate::buffer::{Item, Reading};
use crate::feed::{Feed, INTERVAL_MS};
use crate::stream_id::StreamId;

/// How many entries a reader reads at once from Redis for itself.
const PAGE: usize = 32;

/// How many bytes a reader takes from the buffer at once. A slow reader keeps that much in memory.
const BATCH_BYTES: usize = 64 * 1024;

/// The reader is so slow that the buffer no longer has what comes next. It can subscribe again at its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the reader is too slow: the buffer no longer has what comes next")]
pub struct Lagged;

/// One reader. It does not wait for events: call [`Subscription::read`] every
/// [`INTERVAL_MS`](crate::INTERVAL_MS).
pub struct Subscription<R: Connect, T> {
    feed: Rc<Feed<R, T>>,
    /// The id of the entry that the caller got last.
    position: StreamId,
    /// What this reader has read from Redis itself and not returned yet.
    pending: Vec<Item>,
    /// The id of the last entry that it has read from Redis itself.
    read_to: StreamId,
    live: Option<Live<R, T>>,
    /// When a reader that is not live reads again, in ms of the monotonic clock.
    due_ms: u64,
}

/// Counts as a live reader until it is dropped. The last one empties the buffer.
struct Live<R: Connect, T> {
    feed: Rc<Feed<R, T>>,
    /// The number of the next item.
    next: u64,
}

impl<R: Connect, T> Live<R, T> {
    /// `None`: the buffer does not have what comes after `position`.
    fn start(feed: &Rc<Feed<R, T>>, position: StreamId) -> Option<Self> {
        let mut buffer = feed.buffer.borrow_mut();
        if feed.live.get() == 0 {
            buffer.restart(position);
        }
        let next = buffer.number_after(position)?;
        feed.live.set(feed.live.get() + 1);
        Some(Self { feed: Rc::clone(feed), next })
    }
}

impl<R: Connect, T> Live<R, T> {
    /// The next items, of some bytes at most, for a reader that is at `position`. `None`: it is too slow.
    fn take(&mut self, mut position: StreamId) -> Option<Vec<Item>> {
        let (mut items, mut bytes) = (Vec::new(), 0);
        for item in self.feed.buffer.borrow().from(self.next)? {
            if bytes >= BATCH_BYTES {
                break;
            }
            self.next += 1;
            // A reader that has just gone live may be ahead of the buffer.
            if matches!(item, Item::Event(event) if event.id <= position) {
                continue;
            }
            position = position_after(item);
            bytes += item.bytes();
            items.push(item.clone());
        }
        Some(items)
    }
}

impl<R: Connect, T> Drop for Live<R, T> {
    fn drop(&mut self) {
        self.feed.live.set(self.feed.live.get() - 1);
        if self.feed.live.get() == 0 {
            self.feed.buffer.borrow_mut().restart(StreamId::ZERO);
        }
    }
}

impl<R: Connect, T: Runtime> Subscription<R, T> {
    pub(crate) async fn start(feed: Rc<Feed<R, T>>, after: Option<StreamId>) -> Result<Self, RedisError> {
        let (position, first) = match after {
            Some(after) => (after, feed.read_after(after, PAGE).await?),
            None => (feed.newest().await?, Reading::default()),
        };
        let mut reader = Self { feed, position, pending: Vec::new(), read_to: position, live: None, due_ms: 0 };
        reader.take_in(first);
        Ok(reader)
    }

    /// Where to subscribe again to get what this reader would get next: nothing is missing, and nothing comes twice.
    pub fn position(&self) -> StreamId {
        self.position
    }

    /// What has come since the last call, or a part of it. Empty: nothing has come, or Redis does not reply. Reads
    /// Redis if that was not done lately.
    ///
    /// # Errors
    /// [`Lagged`]: this reader has ended.
    pub async fn read(&mut self) -> Result<Vec<Item>, Lagged> {
        if self.pending.is_empty() && self.live.is_none() {
            self.catch_up().await;
        }
        let mut items = std::mem::take(&mut self.pending);
        if items.is_empty()
            && let Some(live) = &mut self.live
        {
            self.feed.refresh().await;
            items = live.take(self.position).ok_or(Lagged)?;
        }
        if let Some(item) = items.last() {
            self.position = position_after(item);
        }
        Ok(items)
    }

    /// Reads the next page from Redis if it is time.
    async fn catch_up(&mut self) {
        if self.feed.now_ms() < self.due_ms {
            return;
        }
        match self.feed.read_after(self.read_to, PAGE).await {
            Ok(reading) => self.take_in(reading),
            Err(_) => self.due_ms = self.feed.now_ms() + INTERVAL_MS,
        }
    }

    /// Takes in what was read after `read_to`. At the end of the stream this reader goes live.
    fn take_in(&mut self, reading: Reading) {
        let after = self.read_to;
        let is_at_end = !reading.is_full && (!reading.is_gap || !reading.entries.is_empty());
        self.read_to = reading.end(after);
        self.pending = reading.into_items(after).collect();
        if is_at_end {
            self.live = Live::start(&self.feed, self.read_to);
            self.due_ms = self.feed.now_ms() + INTERVAL_MS;
        }
    }
}

fn position_after(item: &Item) -> StreamId {
    if let Item::Event(event) = item { event.id } else { StreamId::ZERO }
}
