//! Private Redis and PostgreSQL servers for local runs and tests: found on this machine, started on free ports of
//! 127.0.0.1 with their data where the caller says, ready when `start` returns, and gone when their handle is dropped
//! or the process that holds it dies, even by SIGKILL.
//!
//! ```no_run
//! # async fn example() -> Result<(), dev_servers::Error> {
//! let redis = dev_servers::RedisServer::start("/tmp/example/redis".as_ref()).await?;
//! println!("{}", redis.url());
//! # Ok(())
//! # }
//! ```

pub mod account;
pub mod cluster;
mod error;
pub mod migrations;
mod port;
mod postgres;
mod process;
pub mod programs;
mod redis;

pub use cluster::Cluster;
pub use error::Error;
pub use port::Port;
pub use postgres::{Durability, PostgresServer};
pub use process::{Output, Process, Signal};
pub use redis::RedisServer;
