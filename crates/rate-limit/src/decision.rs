//! What [`RateLimiter::check`](crate::RateLimiter::check) decides.

use ports::RedisError;

/// Whether a request may pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may. It is counted.
    Allowed(Quota),
    /// It may not. It uses no quota. [`Quota::reset_ms`] says when it may.
    Refused(Quota),
    /// Redis does not reply, or refuses the commands: let the request pass. The error is for the log. The request may
    /// or may not be counted.
    Bypassed(RedisError),
}

/// What a client has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// How many requests the client may still send within [`Quota::reset_ms`].
    pub remaining: u64,
    /// In milliseconds, at least 1.
    ///
    /// - Allowed, and `remaining` is not 0: the time until the window ends. Until then so many requests may pass.
    /// - Allowed, and `remaining` is 0: the time until the next request may pass, if the client sends nothing before.
    /// - Refused: the time until this request may pass, if the client sends nothing before.
    pub reset_ms: u64,
}
