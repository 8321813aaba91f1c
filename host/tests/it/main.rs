//! The host from outside: the real program, the component `probe` (host/tests/guests), HTTP.

mod databases;
mod gate;
mod host;
mod http;
mod instances;
mod lifecycle;
mod limits;
mod manifests;
mod metrics;
mod outside;
