//! The connections of a worker to other servers: HTTP and PostgreSQL, and TLS for both.

pub mod http;
pub mod postgres;
pub mod tls;
