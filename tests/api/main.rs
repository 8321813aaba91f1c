//! Black-box tests of every route, over HTTP, on real Redis and PostgreSQL servers. The folders mirror the URLs:
//! `users` has the tests of /users, `cache` those of /api/cache and /admin/cache, `locks` those of /api/cache/lock and
//! /admin/locks, `sellers` those of /sellers, `ops` those of /health, /metrics, /api/events, /api/publish and
//! /api/ratelimit, and of what all components do alike: logs, traces, rate limits and events. tests/README.md says how
//! to run and write them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cache;
mod harness;
mod locks;
mod ops;
mod sellers;
mod users;
