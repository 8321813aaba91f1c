//! What the cache and lock protocols need: Redis ([`Redis`], [`Connect`], [`Connection`]), and clocks, timers and
//! randomness ([`Runtime`]). These traits are small, so that a simulation can implement them and try every
//! interleaving.
//!
//! [`Client`] makes one Redis server resilient: a deadline for every call, a retry where it is safe, a circuit breaker,
//! and transactions that watch a key ([`WatchTransaction`]).
//!
//! Replies are flat, as Spin's `execute` returns them: a nested array becomes the sequence of its leaves.

mod circuit_breaker;
mod client;
#[cfg(feature = "native")]
pub mod native;
mod redis;
mod runtime;
mod watch_transaction;

pub use circuit_breaker::CircuitBreaker;
pub use client::{Client, ClientSettings, Transacted};
pub use redis::{Arg, Connect, Connection, REPLY_MAX, Redis, RedisError, Reply};
pub use runtime::Runtime;
pub use watch_transaction::WatchTransaction;
