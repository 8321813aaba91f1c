//! The counters of all components but those of the cache.

use crate::redis::SpinRedis;
use crate::runtime::SpinRuntime;

/// The hash in Redis that has them. The module [`observe`](crate::observe) lists its fields.
pub const METRICS: &str = "metrics";

/// Counts in Redis.
pub type Recorder = counters::Recorder<SpinRedis, SpinRuntime>;
