//! A response that has been read to its end.

use reqwest::header::HeaderMap;
use serde_json::Value;

/// The status, the header fields and the body of a response.
#[derive(Debug)]
pub struct Response {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Response {
    pub(crate) async fn read(response: reqwest::Response) -> Result<Self, reqwest::Error> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let response = Self { status, headers, text: response.text().await? };
        response.check_length();
        Ok(response)
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The value of a header field; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("our header fields are ASCII"))
    }

    /// The body.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The body as JSON. Panics if it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The trace id in `traceparent` (W3C Trace Context). Panics if there is no valid one.
    pub fn trace_id(&self) -> &str {
        let fields: Vec<_> = self.header("traceparent").split('-').collect();
        let is_hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        match fields[..] {
            ["00", trace, span, "00" | "01"]
                if trace.len() == 32 && span.len() == 16 && is_hex(trace) && is_hex(span) =>
            {
                trace
            }
            _ => panic!("no valid traceparent: {self:?}"),
        }
    }

    /// A parameter of `Cache-Status` (RFC 9211), such as `key`.
    pub fn cache_parameter(&self, name: &str) -> Option<&str> {
        let mut parameters = self.header("cache-status").split("; ").skip(1);
        parameters.find_map(|parameter| parameter.strip_prefix(name)?.strip_prefix('='))
    }

    /// Whether the response came from the cache.
    pub fn is_hit(&self) -> bool {
        self.header("cache-status").starts_with("tumbler; hit")
    }

    /// Whether it came from the cache although its TTL had ended.
    pub fn is_graced(&self) -> bool {
        self.is_hit() && self.cache_parameter("ttl").is_some_and(|ttl| ttl.starts_with('-'))
    }

    /// Whether the value was fetched and is now in the cache.
    pub fn is_stored(&self) -> bool {
        self.header("cache-status").starts_with("tumbler; fwd=miss; stored")
    }

    /// Whether the cache was left out because Redis did not respond.
    pub fn is_bypass(&self) -> bool {
        self.header("cache-status").starts_with("tumbler; fwd=bypass")
    }

    /// The seconds that the cache entry still lives, as `Cache-Status` says.
    pub fn ttl(&self) -> u64 {
        let ttl = self.cache_parameter("ttl").and_then(|ttl| ttl.parse().ok());
        ttl.unwrap_or_else(|| panic!("no ttl: {self:?}"))
    }

    /// The JSON of a response with status 200.
    pub fn expect_ok(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        self.json()
    }

    /// Asserts that the status is below 400.
    pub fn expect_success(&self) {
        assert!(self.status < 400, "{self:?}");
    }

    /// Asserts that this is a problem (RFC 9457) of this status, also in its body, that no cache may store it, and that
    /// it reveals nothing internal.
    pub fn expect_problem(&self, status: u16, kind: &str) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        assert_eq!(self.header("cache-control"), "no-store", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], format!("/problems/{kind}"));
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
        for internal in ["postgres", "Postgres", "redis", "SELECT", "constraint", "127.0.0.1", "panicked"] {
            assert!(!self.text.contains(internal), "{problem} reveals {internal}");
        }
        problem
    }

    /// As [`Response::expect_problem`]; returns the pointers or fields that `errors` names, in order.
    pub fn expect_errors(&self, status: u16, kind: &str) -> Vec<String> {
        let problem = self.expect_problem(status, kind);
        let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("{problem} names nothing"));
        let place = |error: &Value| {
            assert!(error["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{error}");
            let place = error["pointer"].as_str().or(error["field"].as_str());
            place.unwrap_or_else(|| panic!("{error} names no pointer and no field")).to_owned()
        };
        errors.iter().map(place).collect()
    }

    /// Asserts that the service is unavailable and says when to try again.
    pub fn expect_unavailable(&self) {
        self.expect_problem(503, "unavailable");
        assert!(self.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0), "{self:?}");
    }

    /// Every response has a content length, except those that have no body by definition.
    fn check_length(&self) {
        let length = self.header("content-length");
        match self.status {
            204 | 304 => assert_eq!((length, self.text.as_str()), ("", ""), "{self:?}"),
            _ => assert!(!length.is_empty(), "no content-length: {self:?}"),
        }
    }
}
