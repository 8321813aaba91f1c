//! An answer, read to its end and taken apart.

#![allow(dead_code, reason = "each test program uses a part of it")]

use reqwest::{Response, StatusCode};
use serde_json::Value;

/// An answer whose body has been read.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    headers: reqwest::header::HeaderMap,
    pub body: String,
}

pub async fn read(response: Response) -> Answer {
    let (status, headers) = (response.status(), response.headers().clone());
    let answer = Answer { status, headers, body: response.text().await.unwrap() };
    answer.check_length();
    answer
}

impl Answer {
    /// The value of a header field; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Whether the answer came from the cache.
    pub fn is_hit(&self) -> bool {
        self.header("cache-status").starts_with("tumbler; hit")
    }

    /// Whether the value was fetched and is in the cache now.
    pub fn is_stored(&self) -> bool {
        self.header("cache-status").starts_with("tumbler; fwd=miss; stored")
    }

    /// The seconds that the entry has left, as Cache-Status says (RFC 9211).
    pub fn ttl(&self) -> u64 {
        let mut parameters = self.header("cache-status").split("; ").skip(1);
        let ttl = parameters.find_map(|parameter| parameter.strip_prefix("ttl=")?.parse().ok());
        ttl.unwrap_or_else(|| panic!("no ttl: {self:?}"))
    }

    /// The JSON of an answer whose status is 200.
    pub fn expect_ok(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        self.json()
    }

    /// Asserts that this is a problem of this status, that it says the same in its body, and that it gives nothing away.
    pub fn expect_problem(&self, status: u16, kind: &str) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], format!("/problems/{kind}"));
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
        for inside in ["postgres", "Postgres", "redis", "SELECT", "constraint", "127.0.0.1", "panicked"] {
            assert!(!self.body.contains(inside), "{problem} tells of {inside}");
        }
        problem
    }

    /// As [`Answer::expect_problem`]; returns the places that `errors` names, in order.
    pub fn expect_errors(&self, status: u16, kind: &str) -> Vec<String> {
        let problem = self.expect_problem(status, kind);
        let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("{problem} names nothing"));
        let place = |error: &Value| {
            assert!(error["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{error}");
            let place = error["pointer"].as_str().or(error["field"].as_str());
            place.unwrap_or_else(|| panic!("{error} names no place")).to_owned()
        };
        errors.iter().map(place).collect()
    }

    /// Every answer says how long it is, but those that have no body by definition.
    fn check_length(&self) {
        let length = self.header("content-length");
        match self.status.as_u16() {
            204 | 304 => assert_eq!((length, self.body.as_str()), ("", ""), "{self:?}"),
            _ => assert!(!length.is_empty(), "no content-length: {self:?}"),
        }
    }
}
