//! Events: what has changed, for clients that want to know without asking again and again.
//!
//! An event is a [CloudEvent 1.0](https://cloudevents.io) in JSON. It is appended to a capped stream in Redis, then
//! published on a channel:
//!
//! | what | stream | channel |
//! |---|---|---|
//! | events of the services | `tumbler:events` ([`EVENTS`]) | `tumbler:events` |
//! | messages of applications | `tumbler:messages` ([`MESSAGES`]) | `tumbler:channel:{channel}` |
//!
//! An entry of a stream has one field, `event`. Its value is the event. Entries with other fields belong to other
//! programs, and readers skip them.
//!
//! # Publishing
//!
//! A service calls [`Publisher::emit`] after its commit. The response does not wait: the work is done in the background
//! and repeated while Redis is unreachable, for up to 30 s ([`PATIENCE_MS`]). After that the event is lost, counted and
//! logged.
//!
//! - *At least once*, where Redis replies: if the reply to `XADD` is lost, it is sent again, and the stream has the
//!   event twice, with the same `id`.
//! - *No order is promised.* Two instances that change one row publish in any order, and so do two attempts that are
//!   repeated. The attribute `version` tells which change is the later one.
//! - *Not transactional*: an instance that dies between the commit and `XADD` publishes nothing. docs/events.md says
//!   what that means for clients.
//! - `XADD` comes before `PUBLISH`, so a subscriber of the channel also finds the event in the stream.
//!
//! # Reading
//!
//! [`Feed`] reads a stream once for all readers of an instance. Each [`Subscription`] has a position, which is the id
//! of an entry. Because every reading begins with the entry at the position itself, a missing entry shows that the
//! stream was trimmed or lost in between: then the reader gets an [`Item::Gap`].

mod buffer;
mod channel;
mod event;
mod feed;
mod page;
mod publisher;
mod stream_id;
mod subscription;

pub use buffer::Item;
pub use channel::{Channel, InvalidChannel};
pub use event::{Event, NewEvent, SpecVersion};
pub use feed::{Feed, INTERVAL_MS};
pub use page::Received;
pub use publisher::{PATIENCE_MS, Publisher};
pub use stream_id::{InvalidStreamId, StreamId};
pub use subscription::{Lagged, Subscription};

/// The stream of the services' events, and the channel that they are published on.
pub const EVENTS: &str = "tumbler:events";

/// The stream of the messages of applications.
pub const MESSAGES: &str = "tumbler:messages";
