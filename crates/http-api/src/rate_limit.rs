//! Rate limits, as far as HTTP is concerned: who sends a request, and what a response says about the client's quota.
//! The counting is in the crate `rate-limit`.

mod client;
mod proxies;
mod quota;

pub use client::{Client, Peer};
pub use proxies::{InvalidProxies, TrustedProxies};
pub use quota::{Quota, quota_exceeded};

use axum::http::Method;

/// Whether requests to this path are never limited. Programs use `/health` and `/metrics` to see whether the service
/// works. `/problems` explains the refusals themselves.
pub fn is_exempt(path: &str) -> bool {
    let is_below =
        |parent: &str| path.strip_prefix(parent).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    path == "/metrics" || is_below("/health") || is_below("/problems")
}

/// Whether a method may change something.
pub fn is_write(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_health_metrics_and_the_pages_of_problems_are_exempt() {
        for path in ["/health", "/health/ready", "/metrics", "/problems", "/problems/not-found"] {
            assert!(is_exempt(path), "{path}");
        }
        for path in [
            "/",
            "/healthy",
            "/metrics/x",
            "/users/health",
            "//health",
            "/Health",
            "/users/../health",
            "/problem",
            "/problemsx",
        ] {
            assert!(!is_exempt(path), "{path}");
        }
    }

    #[test]
    fn methods_that_nobody_knows_are_writes() {
        let other = Method::from_bytes(b"PURGE").unwrap();
        assert!([Method::POST, Method::PUT, Method::PATCH, Method::DELETE, other].iter().all(is_write));
        assert!(![Method::GET, Method::HEAD, Method::OPTIONS].iter().any(is_write));
    }
}
