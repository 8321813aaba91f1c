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
    /// In milliseconds. After an allowed request that leaves some quota: until the window ends; `remaining` is a promise
    /// until then. Otherwise: until a request (after a refusal: this request) may pass, if the client sends nothing
    /// else. Always at least 1.
    pub reset_ms: u64,
}
