//! Rate limits, as far as HTTP is concerned: who sends a request, and what a response says about the client's quota.
//! The counting is in the crate `rate-limit`.

mod client;
mod proxies;
mod quota;

pub use client::{Client, Peer};
pub use proxies::{InvalidProxies, TrustedProxies};
pub use quota::{Quota, quota_exceeded};

use axum::http::Method;

/// Whether requests to this path are never limited. Programs use these paths to see whether the service works.
pub fn is_exempt(path: &str) -> bool {
    path == "/metrics" || path == "/health" || path.starts_with("/health/")
}

/// Whether a method may change something.
pub fn is_write(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_health_and_metrics_are_exempt() {
        for path in ["/health", "/health/ready", "/metrics"] {
            assert!(is_exempt(path), "{path}");
        }
        for path in ["/", "/healthy", "/metrics/x", "/users/health", "//health", "/Health", "/users/../health"] {
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
