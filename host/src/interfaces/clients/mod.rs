//! The connections of a worker to other servers: HTTP, PostgreSQL and Redis, and TLS for all of them.

pub mod http;
pub mod postgres;
pub mod redis;
pub mod tls;
