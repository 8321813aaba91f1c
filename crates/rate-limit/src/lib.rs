//! Rate limits: how many requests a client may send in a window of time. The counters are in Redis, so that all
//! instances count together. No scripts (no `EVAL`, no `FUNCTION`). docs/rate-limits.md is for clients and operators.
//!
//! - [`Policy`]: how many requests may pass in a window, written as `100/60s`.
//! - [`Classes`]: which policy a request has. A request counts in one class only.
//! - [`RateLimiter::check`] counts a request and returns a [`Decision`].
//!
//! # The algorithm
//!
//! Time is cut into windows that start at multiples of the window's length since the Unix epoch. Each client has one
//! counter per class and window. A request may pass if
//!
//! ```text
//! current + previous × (1 − elapsed / window) ≤ limit
//! ```
//!
//! where `current` includes the request, and the second term is rounded to a whole number: it assumes that the
//! requests of the previous window were spread evenly. So within one window never more than `limit` requests pass, and
//! in a period of the same length that crosses the edge of two windows, fewer than twice as many.
//!
//! A request is counted first, and then compared with the limit. If it is refused, it is subtracted again: refused
//! requests use no quota. The response does not wait for the subtraction.
//!
//! # Why every counter has an expiry
//!
//! A counter without an expiry would never be deleted. INCR and then EXPIRE loses the expiry if the client dies between
//! the two, or if the counter expires between them. Here, each single command and each transaction leaves only counters
//! with an expiry:
//!
//! - `ZADD key XX INCR cost n` changes a counter (a sorted set with the member `n`), but creates none: XX. So it does
//!   no harm however late it arrives, for example after the counter has expired. The subtraction is the same command.
//! - A missing counter is created by a transaction: `MULTI`, `ZADD key INCR cost n`, `PEXPIRE key ttl`, `EXEC`. It
//!   takes effect as a whole or not at all. The two commands are queued one after the other: PEXPIRE before ZADD would
//!   do nothing (see [`ports::Connection`] about the order of concurrent commands).
//! - With `INCREX` (Redis 8.8, Valkey 9.2) one command counts, compares with a bound and sets the expiry.
//!
//! tests/explorer runs this code over a simulated Redis in all interleavings of a few clients, with commands that
//! arrive late or whose reply is lost, and with counters that expire or are evicted. The same search catches the
//! variants that lose an expiry.
//!
//! # What an instance remembers
//!
//! The last count of each client, up to a fixed number of clients ([`MEMORY_MAX`]). Counts only grow within a window.
//! So the instance knows until when a client is certainly refused, and refuses it without asking Redis.
//!
//! # What is not guaranteed
//!
//! - **That Redis keeps a counter.** A counter that was evicted, or lost in a restart, starts again from 0.
//! - **That a refused request uses no quota**, if the instance dies before it has subtracted it.
//! - **Exact limits while Redis is unreachable**: requests pass, [`Decision::Bypassed`].
//! - **Exact limits if the clocks of instances differ**: an instance that is ahead by `d` begins the next window `d`
//!   earlier. Per edge of a window, up to about `limit × d / window` more requests pass.

mod capabilities;
mod class;
mod counter;
mod decision;
mod key;
mod limiter;
mod memory;
mod policy;
mod window;

pub use class::{Class, Classes, InvalidClasses};
pub use decision::{Decision, Quota};
pub use limiter::{RateLimiter, Settings};
pub use memory::MEMORY_MAX;
pub use policy::{InvalidPolicy, Policy};
