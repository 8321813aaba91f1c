//! The messages of one trigger that wait for its component. Their number and their size are limited. Further messages
//! are dropped.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::interfaces::WorkerResources;
use crate::metrics::Message;

/// How many bytes may wait. A message that is larger is taken only into an empty inbox.
const MAX_BYTES: usize = 64 << 20;

/// The messages of one trigger that wait for its component.
pub struct Inbox {
    channel: String,
    shared: Arc<WorkerResources>,
    max_messages: usize,
    messages: RefCell<VecDeque<Vec<u8>>>,
    bytes: Cell<usize>,
    /// How many messages were dropped since the inbox was last empty.
    dropped: Cell<u64>,
    is_closed: Cell<bool>,
    changed: Notify,
}

impl Inbox {
    /// An empty inbox for `max_messages` messages on `channel`. `shared` belongs to the component.
    pub fn new(max_messages: usize, channel: String, shared: Arc<WorkerResources>) -> Self {
        Self {
            channel,
            shared,
            max_messages,
            messages: RefCell::default(),
            bytes: Cell::new(0),
            dropped: Cell::new(0),
            is_closed: Cell::new(false),
            changed: Notify::new(),
        }
    }

    /// The trigger's channel.
    pub fn channel(&self) -> &str {
        &self.channel
    }

    /// Adds a message, or drops it if the inbox is full. The first dropped message is logged. When the inbox is empty
    /// again, the number of dropped messages is logged.
    pub fn push(&self, message: &[u8]) {
        let mut messages = self.messages.borrow_mut();
        let is_too_much = self.bytes.get() + message.len() > MAX_BYTES && !messages.is_empty();
        if messages.len() >= self.max_messages || is_too_much {
            if self.dropped.replace(self.dropped.get() + 1) == 0 {
                self.log("is too slow: messages are dropped");
            }
            self.shared.recorder.message(Message::Dropped);
            return;
        }
        self.bytes.set(self.bytes.get() + message.len());
        messages.push_back(message.to_vec());
        self.changed.notify_one();
    }

    /// Waits for the next message. None after the last one, if the inbox is closed.
    pub async fn next(&self) -> Option<Vec<u8>> {
        loop {
            let next = self.messages.borrow_mut().pop_front();
            if let Some(message) = next {
                self.bytes.set(self.bytes.get() - message.len());
                return Some(message);
            }
            if self.dropped.get() > 0 {
                self.log(&format!("has caught up: {} messages were dropped", self.dropped.take()));
            }
            if self.is_closed.get() {
                return None;
            }
            self.changed.notified().await;
        }
    }

    /// Ends [`Self::next`] after the messages that wait.
    pub fn close(&self) {
        self.is_closed.set(true);
        self.changed.notify_one();
    }

    fn log(&self, text: &str) {
        eprintln!("[{}] channel {:?}: the component {text}", self.shared.component.id, self.channel);
    }
}
