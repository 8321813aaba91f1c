//! Which instance serves which request.
//!
//! A [`Pool`] holds the queue and the instances of one component on one worker. Instances take [`Job`]s from the queue
//! themselves ([`instance`]); the pool sees each of them as a [`Slot`].
//!
//! [`Job`]: job::Job
//! [`Slot`]: slot::Slot

mod in_flight;
pub mod instance;
mod job;
mod limits;
#[expect(clippy::module_inception, reason = "the type that gives this folder its name")]
mod pool;
mod queue;
mod response_body;
mod slot;
mod start_pause;
mod timer;
mod turn;
mod waiting;

pub use job::{CallError, PendingResponse, Reply};
pub use limits::{Limits, duration};
pub use pool::Pool;
pub use response_body::ResponseBody;
