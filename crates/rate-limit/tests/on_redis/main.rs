//! The rate limiter on a real Redis: round trips, expiry, accuracy, outages.
//!
//! `REDIS_SERVER` names another server program than the `redis-server` in PATH.

mod accuracy;
mod commands;
mod outages;
mod world;
