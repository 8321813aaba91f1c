//! /health, /metrics, /problems, /api/events, /api/publish and /api/ratelimit: one file for each route or topic. Logs,
//! traces, rate limits and events of all components are here, too.

mod access;
mod counters;
mod events;
mod health;
mod log_levels;
mod logs;
mod metrics;
mod parameters;
mod problems;
mod rate_limits;
mod secrets;
mod traces;
