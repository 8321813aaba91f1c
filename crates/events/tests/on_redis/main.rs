//! Events on a real Redis server: publishing, reading, outages, gaps.
//!
//! `REDIS_SERVER` names another server program than the `redis-server` in PATH.

mod gaps;
mod many_readers;
mod outages;
mod publishing;
mod reading;
mod world;
