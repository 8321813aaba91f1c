//! What a response says about the client's quota (draft-ietf-httpapi-ratelimit-headers-10): the fields
//! `RateLimit-Policy` and `RateLimit`, and the problem of a refused request.

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderName, HeaderValue};

use crate::problem::{Kind, Problem};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const MS_PER_S: u64 = 1_000;

/// The quota of a client under a policy. `policy` is its name: letters, digits, `-` and `.`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota<'a> {
    /// The name of the policy.
    pub policy: &'a str,
    /// How many requests a window has.
    pub limit: u64,
    /// The length of a window, in milliseconds: whole seconds.
    pub window_ms: u64,
}

impl Quota<'_> {
    /// `RateLimit-Policy: "default";q=100;w=60`. It is the same for all clients.
    pub fn policy_field(&self) -> (HeaderName, HeaderValue) {
        let Self { limit, window_ms, .. } = self;
        (POLICY, item(self.policy, ('q', *limit), ('w', window_ms / MS_PER_S)))
    }

    /// `RateLimit: "default";r=50;t=30`: the client may send `remaining` requests in the next `reset_ms` milliseconds.
    /// Rounded up to seconds.
    pub fn limit_field(&self, remaining: u64, reset_ms: u64) -> (HeaderName, HeaderValue) {
        (LIMIT, item(self.policy, ('r', remaining), ('t', reset_ms.div_ceil(MS_PER_S))))
    }
}

/// The problem of a request that the policy of this name refuses. It may be repeated after `retry_after_ms`.
pub fn quota_exceeded(policy: &str, retry_after_ms: u64) -> Problem {
    let seconds = retry_after_ms.div_ceil(MS_PER_S);
    Problem::new(Kind::QuotaExceeded, format!("The client has used up its quota. Try again in {seconds} s."))
        .with_extension("violated-policies", vec![policy])
        .with_header((RETRY_AFTER, seconds.into()))
}

/// An item of a structured field (RFC 9651): a string with two parameters.
fn item(name: &str, (first, value): (char, u64), (second, other): (char, u64)) -> HeaderValue {
    let item = format!("\"{name}\";{first}={value};{second}={other}");
    HeaderValue::try_from(item).expect("the names of policies are ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse;

    const QUOTA: Quota<'_> = Quota { policy: "users.write", limit: 100, window_ms: 60_000 };

    #[test]
    fn the_fields_are_structured_and_in_seconds() {
        let (name, value) = QUOTA.policy_field();
        assert_eq!((name.as_str(), value.to_str().unwrap()), ("ratelimit-policy", r#""users.write";q=100;w=60"#));
        for (reset_ms, seconds) in [(1, 1), (1_000, 1), (1_001, 2), (59_001, 60)] {
            let (name, value) = QUOTA.limit_field(50, reset_ms);
            assert_eq!(name, "ratelimit");
            assert_eq!(value.to_str().unwrap(), format!(r#""users.write";r=50;t={seconds}"#));
        }
    }

    #[test]
    fn a_refusal_names_the_policy_and_when_to_try_again() {
        let problem = quota_exceeded("users.write", 1_001);
        let json: serde_json::Value = serde_json::from_slice(&problem.to_json()).unwrap();
        assert_eq!(json["type"], "/problems/quota-exceeded");
        assert_eq!(json["violated-policies"], serde_json::json!(["users.write"]));
        let response = problem.into_response();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()[RETRY_AFTER], "2", "not earlier than t of the field RateLimit");
    }
}
