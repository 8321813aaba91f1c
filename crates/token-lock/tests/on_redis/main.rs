//! The locks on real Redis servers: round trips, expiry, outages, a quorum of three servers, guards.
//!
//! `REDIS_SERVER` names another server program than the `redis-server` in PATH.

mod capabilities;
mod commands;
mod fencing;
mod guard;
mod holding;
mod outages;
mod quorum;
mod waiting;
mod world;
