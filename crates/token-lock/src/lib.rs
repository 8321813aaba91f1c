//! Locks in Redis with tokens and fencing numbers, without scripts (no `EVAL`, no `FUNCTION`). The terms are explained
//! in [docs/glossary.md](../../../docs/glossary.md).
//!
//! - **acquire** ([`Locks::acquire`], [`Locks::acquire_within`]): `SET locks:{resource} {token} NX PX {ttl}`, then
//!   `INCRBY fencing:{resource} 1` for the fencing number. The token is 128 random bits.
//! - **release**, **extend** ([`Locks::release`], [`Locks::extend`]): DEL or PEXPIRE in a WATCH transaction, if the
//!   lock holds the token. Some servers have one command for this (`DELIFEQ`, `DELEX … IFEQ`, `SET … IFEQ`). The crate
//!   asks each server once which of them it has, and again if the server refuses one.
//! - **guard** ([`Locks::guard`]): runs work under locks, extends them, and tells the work when a lock is lost.
//! - Several resources are locked in the order of their names, all or none. An attempt that must wait holds no lock.
//! - Without a reply nothing is granted: [`LockError::Unavailable`]. A command without a reply may still have taken a
//!   lock. The crate releases it in the background. The same happens after an attempt that was cancelled.
//!
//! Two examples run with plain cargo: `cargo run -p token-lock --example critical_section` and `--example fencing`.
//!
//! # Why only the holder releases and extends a lock
//!
//! Each attempt to acquire has a new token. The command that deletes or extends takes effect only if the key holds this
//! token at that moment. A single command compares and changes atomically. In a transaction, the key is read after
//! WATCH, and EXEC fails if the key has changed or expired since WATCH. Nothing depends on the order in which
//! concurrent commands arrive, nor on when they arrive (the argument is in `ports/src/watch_transaction.rs`). So even a
//! release that arrives an hour late is harmless.
//!
//! # Why fencing numbers grow
//!
//! A client gets its number while it holds the lock: after the reply to SET. The grant counts only if the number
//! arrives within the TTL, counted from before SET was sent. So of two grants, the later one gets its number later. On
//! one server, each number is greater than all before it. This is true even if the counter was lost: it starts again
//! from the server's clock, and `fencing.rs` explains why that is greater than all earlier numbers. If a number is
//! drawn but not granted, there is a gap.
//!
//! # Several servers
//!
//! With three or five independent servers, a client holds a lock while the majority of the servers keeps it (Redlock).
//! The crate asks all servers concurrently. It returns when a majority has decided and the others had a short time to
//! reply. A server that fails is not asked for some time (circuit breaker). If it fails at a release, the release is
//! repeated there, in the background: otherwise the server could keep the lock until its TTL. A client trusts a lock
//! for 1 % and 2 ms less than its TTL, because clocks drift.
//!
//! The fencing number is the greatest one of the majority. Before the grant, the counters of that majority are raised
//! to it. The next majority shares a server with this one, so its number is greater.
//!
//! # What is not guaranteed
//!
//! - **That only one client works.** A holder may be paused (garbage collection, a host without CPU, a slow request).
//!   It may continue after its lock has ended, without knowing. Only the resource itself can refuse it: it remembers
//!   the greatest [`Grant::fencing`] that it has seen, and refuses smaller ones (Kleppmann, *How to do distributed
//!   locking*, 2016). The same article criticizes Redlock: it assumes bounded delays, and clocks that run at about the
//!   same rate. Without such a check, a lock saves work but does not protect data.
//! - **That Redis keeps a lock.** A Redis that restarts empty, evicts the key (`allkeys-lru`) or fails over to a
//!   replica that lagged has lost the lock. It grants the lock again while the first holder still trusts it. The second
//!   grant has a greater number. With several servers, one of them may come back empty. Then two holders are possible
//!   only if no more than a majority had the lock, and this server was one of them (of three servers, two had the
//!   lock). Keep such a server away for the longest TTL, or rely on the numbers.
//! - **Growing numbers if clocks go back.** A lost counter starts from the server's clock. If this clock shows a time
//!   before the last grant (it was set back, or another machine is behind), numbers repeat. With several servers, the
//!   same happens if their clocks differ by more than the time that a lost server was away.
//! - **Fairness between instances.** The requests of one instance get a lock in the order in which they came, and only
//!   the first of them asks the servers, every few dozen milliseconds (`locks/waiting.rs`). Of several instances, any
//!   may win.

mod capabilities;
mod fencing;
mod locks;
mod outcome;
mod quorum;
mod resource;
mod settings;
mod token;

pub use locks::Locks;
pub use locks::guard::{Guarded, Lease};
pub use outcome::{Acquired, Extended, Grant, Held, Inspected, LockError, Page, Released};
pub use resource::{InvalidResource, Resource};
pub use settings::{MAX_RESOURCES, MAX_WAIT_MS, Settings, TTL_MS};
pub use token::{InvalidToken, Token};
