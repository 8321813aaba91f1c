//! Starts private Redis and PostgreSQL servers for local runs and tests.
//!
//! The servers' programs must be installed. Each server listens on a free port of 127.0.0.1 and keeps its data in a
//! folder that the caller names. It is ready when `start` returns. It ends when its handle is dropped or when the
//! process that holds the handle dies, even by SIGKILL.
//!
//! ```no_run
//! # async fn example() -> Result<(), dev_servers::Error> {
//! let redis = dev_servers::RedisServer::start("/tmp/example/redis".as_ref()).await?;
//! println!("{}", redis.url());
//! # Ok(())
//! # }
//! ```

mod account;
mod cluster;
mod error;
pub mod migrations;
mod port;
mod postgres;
mod process;
pub mod programs;
mod redis;
pub mod secret;

pub use cluster::Cluster;
pub use error::Error;
pub use port::Port;
pub use postgres::{Durability, PostgresServer};
pub use process::{Output, Process, Signal};
pub use redis::{RedisOptions, RedisServer};
