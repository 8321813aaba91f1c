//! The memory of the whole host, and what it may use: `--max-memory`.
//!
//! Three things happen as memory becomes short, in this order:
//!
//! 1. Over seven eighths of the budget, instances without requests are dropped, and new requests are refused with 503.
//!    Requests that were accepted before go on, and may still allocate memory.
//! 2. At the budget, instances cannot allocate more, as if each had reached its own limit. An instance that needs more
//!    traps, and its requests get 503. This loses requests, so it is the last resort. But without it the kernel would
//!    kill the host, with all requests of all instances.
//! 3. Both end as soon as enough memory is free.

mod budget;
mod machine;
mod watch;

pub use budget::Budget;
pub use machine::machine_bytes;
pub use watch::start as watch;
