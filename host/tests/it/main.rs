//! The host from outside: the real program, the component `probe` (host/tests/guests), HTTP.

mod databases;
mod http;
mod instances;
mod lifecycle;
mod manifests;
mod outside;
mod program;
