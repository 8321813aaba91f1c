//! No read is stale: a read that starts after a write or an invalidation was acknowledged never returns anything older.

pub mod cache;
mod check;
pub mod history;
mod sellers;
mod users;
pub mod workload;
