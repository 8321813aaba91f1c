//! Limits of instances and of the queue in front of them.

use std::time::Duration;

/// Limits, the same for all components.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Requests that an instance serves before it is replaced.
    pub reuse: usize,
    /// Requests that an instance serves concurrently.
    pub concurrent: usize,
    /// How long an instance without requests is kept.
    pub idle: Duration,
    /// How long a request, or the work after its response, may take.
    pub request_timeout: Option<Duration>,
    /// Linear memory and tables of an instance, in bytes.
    pub memory: usize,
    /// Instances of a component on one worker.
    pub instances: usize,
    /// Requests that wait for an instance of a component on one worker.
    pub queue: usize,
}

/// Small limits for tests.
#[cfg(test)]
pub const SMALL: Limits = Limits {
    reuse: 3,
    concurrent: 2,
    idle: Duration::from_secs(1),
    request_timeout: Some(Duration::from_secs(10)),
    memory: 0,
    instances: 1,
    queue: 1,
};
