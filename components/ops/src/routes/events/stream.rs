//! The body of a response: frames of `text/event-stream`.

use std::convert::Infallible;
use std::fmt::Write;

use axum::body::Bytes;
use events::{INTERVAL_MS, Item, StreamId, Subscription};
use futures_util::stream::{Stream, unfold};
use ports::Runtime;
use spin_adapter::{SpinRedis, SpinRuntime};

use super::filter::Filter;

/// How long a client waits before it connects again after the end of the response, in ms.
const RETRY_MS: u64 = 1_000;

/// How often a comment shows that the connection is alive, in ms. When the host writes it, it also notices that a
/// client has disconnected.
const HEARTBEAT_MS: u64 = 15_000;

/// The body of one response.
pub struct EventStream {
    reader: Subscription<SpinRedis, SpinRuntime>,
    filter: Filter,
    /// The position that the client knows.
    known: StreamId,
    /// The next frame, if there is one already.
    ready: Option<String>,
    has_ended: bool,
    /// When the response ends, in ms of the monotonic clock.
    ends_at_ms: u64,
    /// When the next heartbeat is due, by the same clock.
    heartbeat_at_ms: u64,
}

impl EventStream {
    /// A response that ends after `max_ms`.
    pub fn new(reader: Subscription<SpinRedis, SpinRuntime>, filter: Filter, max_ms: u64) -> Self {
        let (known, now_ms) = (reader.position(), SpinRuntime.monotonic_ms());
        // With the id, so that a client that gets no event before the end can continue at this position.
        let ready = Some(format!("retry: {RETRY_MS}\nid: {known}\n\n"));
        let (ends_at_ms, heartbeat_at_ms) = (now_ms + max_ms, now_ms + HEARTBEAT_MS);
        Self { reader, filter, known, ready, has_ended: false, ends_at_ms, heartbeat_at_ms }
    }

    /// The frames, to the end of the response.
    pub fn into_frames(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        unfold(self, async |mut stream| Some((Ok(stream.next().await?.into()), stream)))
    }

    /// Waits for the next frame; `None` at the end.
    async fn next(&mut self) -> Option<String> {
        if let Some(frame) = self.ready.take() {
            return Some(frame);
        }
        while !self.has_ended {
            let now_ms = SpinRuntime.monotonic_ms();
            if now_ms >= self.heartbeat_at_ms {
                self.heartbeat_at_ms = now_ms + HEARTBEAT_MS;
                return Some(self.with_position(": heartbeat\n"));
            }
            let items = self.reader.read().await.unwrap_or_else(|_lagged| {
                self.has_ended = true;
                Vec::new()
            });
            let frame = self.frame(&items);
            self.has_ended |= now_ms >= self.ends_at_ms;
            if !frame.is_empty() {
                return Some(frame);
            }
            if items.is_empty() && !self.has_ended {
                let until_ms = self.ends_at_ms.min(self.heartbeat_at_ms);
                SpinRuntime.sleep(INTERVAL_MS.min(until_ms.saturating_sub(now_ms))).await;
            }
        }
        // Once, the last position: it may be after events that the client does not want.
        (self.known != self.reader.position()).then(|| self.with_position(""))
    }

    /// The events that the client wants.
    fn frame(&mut self, items: &[Item]) -> String {
        let mut frame = String::new();
        for item in items {
            match item {
                Item::Event(event) if self.filter.matches(event) => {
                    self.known = event.id;
                    let _ = write!(frame, "id: {}\nevent: {}\ndata: {}\n\n", event.id, event.kind, event.json);
                }
                Item::Event(_) => {}
                Item::Gap { after } => {
                    let _ = write!(frame, "event: gap\ndata: {{\"after\":\"{after}\"}}\n\n");
                }
            }
        }
        frame
    }

    /// A frame without an event, and with the position if the client does not know it.
    fn with_position(&mut self, start: &str) -> String {
        let position = self.reader.position();
        let is_known = std::mem::replace(&mut self.known, position) == position;
        if is_known { format!("{start}\n") } else { format!("{start}id: {position}\n\n") }
    }
}
