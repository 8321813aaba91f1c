//! Problem details (RFC 9457): what a client reads when its request fails.
//!
//! [`Kind`] is the closed table of problem types; docs/problems.md documents it for clients. A [`Problem`] is one
//! occurrence: its kind, a sentence about this request, and the fields that are wrong. It holds no database texts,
//! addresses or stack traces: those go to the log.

mod kind;

pub use kind::Kind;

use std::fmt::Display;

use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// When a client may try again what was unavailable, in seconds: a restarted server usually answers by then.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("2");

/// One occurrence of a problem (RFC 9457, section 3). As a response it is `application/problem+json`, and no cache may
/// store it: a cache may keep a 404 without `Cache-Control` as long as it likes (RFC 9111, section 4.2.2).
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    kind: Kind,
    detail: String,
    errors: Vec<FieldError>,
    extensions: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// One wrong field: an element of the extension member `errors`. Either `pointer` or `field` says where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// Where in the request body: a JSON Pointer (RFC 6901); empty for the whole document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<String>,
    /// The name of a path parameter, query parameter or header field.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// What is wrong.
    detail: String,
}

impl FieldError {
    /// An error in the request body at this JSON Pointer.
    pub fn at(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: Some(pointer.into()), field: None, detail: detail.into() }
    }

    /// An error in the path parameter, query parameter or header field of this name.
    pub fn field(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: None, field: Some(name.into()), detail: detail.into() }
    }
}

impl Problem {
    /// A problem of this kind; `detail` is one sentence for the client about this occurrence.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), errors: Vec::new(), extensions: Map::new(), headers: Vec::new() }
    }

    /// Members of the body that break the rules ([`Kind::Validation`]).
    pub fn validation(errors: Vec<FieldError>) -> Self {
        Self::new(Kind::Validation, "The request body has members that are missing, unknown or not valid.")
            .with_errors(errors)
    }

    /// Parts of the path, the query string or the header that are not valid ([`Kind::InvalidParameter`]).
    pub fn parameters(errors: Vec<FieldError>) -> Self {
        Self::new(Kind::InvalidParameter, "The request has parameters that are unknown or not valid.")
            .with_errors(errors)
    }

    /// A fault of this service ([`Kind::Internal`]). `cause` goes to the log and nowhere else.
    pub fn internal(cause: impl Display) -> Self {
        tracing::error!(%cause, "internal error");
        Self::new(Kind::Internal, "The service met an unexpected error; its log has the cause.")
    }

    /// Sets the wrong fields.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    /// Adds an extension member (RFC 9457, section 3.2). `name` is not that of a standard member.
    #[must_use]
    pub fn with_extension(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.extensions.insert(name.into(), value.into());
        self
    }

    /// Adds a header field to the response.
    #[must_use]
    pub fn with_header(mut self, field: (HeaderName, HeaderValue)) -> Self {
        self.headers.push(field);
        self
    }

    /// The status code of the response.
    pub fn status(&self) -> StatusCode {
        self.kind.status()
    }

    /// The wrong fields.
    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    /// Where the wrong fields are: JSON Pointers, or names of parameters and header fields.
    pub fn wrong_fields(&self) -> Vec<&str> {
        self.errors.iter().filter_map(|error| error.pointer.as_deref().or(error.field.as_deref())).collect()
    }

    pub(crate) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings, numbers and JSON values always serialize")
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", self.kind.uri())?;
        map.serialize_entry("title", self.kind.title())?;
        map.serialize_entry("status", &self.status().as_u16())?;
        map.serialize_entry("detail", &self.detail)?;
        if !self.errors.is_empty() {
            map.serialize_entry("errors", &self.errors)?;
        }
        for (name, value) in &self.extensions {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let json = self.to_json();
        let fields = [
            (CONTENT_TYPE, HeaderValue::from_static("application/problem+json")),
            // A router would add it, but not every problem comes out of one.
            (CONTENT_LENGTH, json.len().into()),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        let retry_after = (self.kind == Kind::Unavailable).then_some([(RETRY_AFTER, RETRY_AFTER_S)]);
        (self.status(), fields, retry_after, AppendHeaders(self.headers), json).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_in_order_and_only_when_they_have_a_value() {
        let bare = Problem::new(Kind::NotFound, "There is no user 7.");
        assert_eq!(
            String::from_utf8(bare.to_json()).unwrap(),
            r#"{"type":"/problems/not-found","title":"Not found","status":404,"detail":"There is no user 7."}"#
        );
        let full =
            Problem::validation(vec![FieldError::at("/email", "must be an email address")]).with_extension("limit", 5);
        let json: Value = serde_json::from_slice(&full.to_json()).unwrap();
        assert_eq!(json["status"], 422);
        assert_eq!(json["limit"], 5);
        assert_eq!(json["errors"], serde_json::json!([{"pointer": "/email", "detail": "must be an email address"}]));
    }

    #[test]
    fn the_response_has_the_header_fields() {
        let field = (HeaderName::from_static("x-a"), HeaderValue::from_static("b"));
        let problem = Problem::new(Kind::Unavailable, "The database is unavailable.").with_header(field);
        let length = problem.to_json().len().to_string();
        let response = problem.into_response();
        assert_eq!(response.status(), 503);
        for (name, value) in [
            ("content-type", "application/problem+json"),
            ("content-length", &length),
            ("cache-control", "no-store"),
            ("retry-after", "2"),
            ("x-a", "b"),
        ] {
            assert_eq!(response.headers()[name], value, "{name}");
        }
        let response = Problem::new(Kind::NotFound, "No.").into_response();
        assert!(!response.headers().contains_key(RETRY_AFTER));
    }
}
