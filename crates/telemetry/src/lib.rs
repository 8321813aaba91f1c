//! What a component says about itself: one log line per request, log lines of `tracing`, and trace contexts that are
//! passed on.
//!
//! | I want to … | use |
//! |---|---|
//! | say that something happened | `tracing::warn!(host, "the users service is unavailable")` |
//! | set the level and the format of the lines | [`init`], once per instance |
//! | handle a request, so that its lines have its trace id | [`Request::scope`] |
//! | do work after the response for a request | wrap it with [`inherit`] |
//! | pass the trace on to another service | [`traceparent`] |
//! | name the route of the current request | [`set_route`] |
//! | write the lines | [`flush`]: lines below the level `warn` wait for it |
//!
//! A warning or an error is written at most ten times per second and instance (`repeats.rs`). The next one then says
//! how many lines were omitted. Other lines have no such limit.
//!
//! Lines never contain tokens, addresses with passwords, e-mail addresses, or bodies.
//!
//! This crate depends neither on Spin nor on axum. An instance has one thread; everything here is per thread.

mod digits;
mod format;
mod level;
mod lines;
mod logger;
mod repeats;
mod request;
mod trace_context;

pub use format::Format;
pub use level::{InvalidLevels, Levels};
pub use lines::{flush, is_waiting};
pub use logger::{init, is_enabled};
pub use request::{Request, Summary, inherit, set_route, traceparent};
pub use trace_context::{TRACEPARENT, TraceContext};
