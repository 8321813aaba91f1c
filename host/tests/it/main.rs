//! The host from outside: the real program, the components of host/tests/guests, HTTP and Redis.

mod databases;
mod events_example;
mod gate;
mod host;
mod http;
mod instances;
mod lifecycle;
mod limits;
mod manifests;
mod many_connections;
mod memory;
mod metrics;
mod outside;
mod overload;
mod precompiled;
mod profile;
mod raw_http;
mod redis_trigger;
mod slow_clients;
mod tls;
