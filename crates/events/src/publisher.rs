//! Publishes events: each goes to the stream, then to the channel.

use std::cell::Cell;
use std::rc::Rc;

use ports::{Arg, Client, Connect, RedisError, Runtime};

use crate::channel::Channel;
use crate::event::{Event, NewEvent};
use crate::page::FIELD;
use crate::{EVENTS, MESSAGES};

/// How long [`Publisher::emit`] repeats an event that Redis does not take, in ms. Its client must have this patience.
pub const PATIENCE_MS: u64 = 30_000;

/// How many events may wait for Redis in this instance: some batches of a thousand rows, or about 2 MB.
const WAITING_MAX: usize = 4_096;

/// How many bytes the stream of messages may have in Redis, about. One message may have 64 KiB, so the stream keeps
/// some hundreds of the largest ones.
const MESSAGES_BYTES: u64 = 16 * 1024 * 1024;

/// Publishes the events of one service.
pub struct Publisher<R: Connect, T> {
    client: Rc<Client<R, T>>,
    source: String,
    max_length: u64,
    /// Called with the number of events that were lost.
    count_lost: Box<dyn Fn(u64)>,
    waiting: Cell<usize>,
    /// Events whose work was cancelled. They are counted with the next event.
    cancelled: Cell<u64>,
    /// Events lost since the last one that was published.
    lost: Cell<u64>,
}

/// An event that waits for Redis.
struct Waiting<R: Connect, T> {
    publisher: Rc<Publisher<R, T>>,
    is_done: bool,
}

impl<R: Connect, T> Waiting<R, T> {
    /// Ends it as published or lost, and not as cancelled.
    fn done(mut self) {
        self.is_done = true;
    }
}

impl<R: Connect, T> Drop for Waiting<R, T> {
    fn drop(&mut self) {
        self.publisher.waiting.set(self.publisher.waiting.get() - 1);
        if !self.is_done {
            self.publisher.cancelled.set(self.publisher.cancelled.get() + 1);
        }
    }
}

impl<R: Connect, T: Runtime> Publisher<R, T> {
    /// A publisher of events from `source`, a relative URI such as `/users`. The streams keep about `max_length`
    /// events; with 0 nothing is published. `client` must have the patience [`PATIENCE_MS`]. `count_lost` is called
    /// with the number of events that were lost, also in the background.
    pub fn new(
        client: Rc<Client<R, T>>,
        source: impl Into<String>,
        max_length: u64,
        count_lost: impl Fn(u64) + 'static,
    ) -> Rc<Self> {
        let (waiting, cancelled, lost) = Default::default();
        Rc::new(Self {
            client,
            source: source.into(),
            max_length,
            count_lost: Box::new(count_lost),
            waiting,
            cancelled,
            lost,
        })
    }

    /// Whether events are published at all.
    pub fn is_enabled(&self) -> bool {
        self.max_length > 0
    }

    /// Publishes an event in the background. Call it after the commit. `traceparent` is that of the request.
    pub fn emit(self: &Rc<Self>, event: NewEvent, traceparent: Option<String>) {
        if !self.is_enabled() {
            return;
        }
        let cancelled = self.cancelled.take();
        if cancelled > 0 {
            self.lose(cancelled, &"the request was cancelled");
        }
        if self.waiting.get() >= WAITING_MAX {
            return self.lose(1, &"too many events wait for Redis");
        }
        self.waiting.set(self.waiting.get() + 1);
        let waiting = Waiting { publisher: Rc::clone(self), is_done: false };
        let event = event.complete(&self.source, traceparent, self.client.runtime());
        self.client.runtime().spawn(async move {
            let publisher = &waiting.publisher;
            match publisher.publish_patiently(&event).await {
                Ok(()) => publisher.found(),
                Err(error) => publisher.lose(1, &error),
            }
            waiting.done();
        });
    }

    /// Appends a message of an application to the stream of messages, then publishes it on the channel. Returns its id.
    ///
    /// # Errors
    /// Redis does not reply, or refuses. The message may have been published.
    pub async fn send(
        &self,
        channel: &Channel,
        message: NewEvent,
        traceparent: Option<String>,
    ) -> Result<String, RedisError> {
        let message = message.complete(&self.source, traceparent, self.client.runtime());
        let json = message.to_json();
        let max_length = self.max_length.min(MESSAGES_BYTES / json.len() as u64).max(1);
        self.append(MESSAGES, max_length, &json).await?;
        self.publish(channel.key(), json).await?;
        Ok(message.id)
    }

    /// Repeats both steps while Redis is unreachable. Once the first step has succeeded, only the second one is
    /// repeated.
    async fn publish_patiently(&self, event: &Event) -> Result<(), RedisError> {
        let json = event.to_json();
        let is_appended = Cell::new(false);
        let attempt = async || {
            // While the circuit is open, only some of the waiting events try.
            if !self.client.admits() {
                return Err(RedisError::Unreachable("the circuit is open".to_owned()));
            }
            if !is_appended.get() {
                self.append(EVENTS, self.max_length, &json).await?;
                is_appended.set(true);
            }
            self.publish(EVENTS.to_owned(), json.clone()).await
        };
        self.client.retry(attempt).await
    }

    /// `~`: Redis removes only whole blocks of old entries, so the stream may be a little longer.
    async fn append(&self, stream: &str, max_length: u64, json: &str) -> Result<(), RedisError> {
        let max_length = i64::try_from(max_length).unwrap_or(i64::MAX);
        let mut args: Vec<Arg> = [stream, "MAXLEN", "~"].map(Arg::from).to_vec();
        args.extend([max_length.into(), "*".into(), FIELD.into(), json.into()]);
        self.client.call_large("XADD", args).await.map(drop)
    }

    async fn publish(&self, channel: String, json: String) -> Result<(), RedisError> {
        self.client.call_large("PUBLISH", vec![channel.into(), json.into()]).await.map(drop)
    }

    fn lose(&self, events: u64, why: &dyn std::fmt::Display) {
        (self.count_lost)(events);
        if self.lost.replace(self.lost.get() + events) == 0 {
            tracing::error!(reason = %why, "events are lost");
        }
    }

    fn found(&self) {
        let lost = self.lost.take();
        if lost > 0 {
            tracing::info!(lost, "events are published again");
        }
    }
}
