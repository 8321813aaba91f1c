//! No read is stale: a read that starts after a write or an invalidation was acknowledged never returns anything older.

mod cache;
mod check;
mod history;
mod sellers;
mod users;
mod workload;
