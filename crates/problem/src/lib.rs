//! Problem details for HTTP APIs (RFC 9457): what a client is told when a request fails.
//!
//! [`Kind`] is the closed table of problem types, documented for clients in docs/problems.md. A [`Problem`] is one
//! occurrence: its kind, a sentence about this very request, and the fields that are wrong. Nothing in it may come
//! from the inside (database texts, addresses, stack traces): those belong in the log.

mod field_error;
mod json_input;
mod kind;

pub use field_error::FieldError;
pub use json_input::{Object, parse};
pub use kind::Kind;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// The media type of a serialized problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// One occurrence of a problem (RFC 9457, section 3).
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    kind: Kind,
    detail: String,
    instance: Option<String>,
    errors: Vec<FieldError>,
    extensions: Map<String, Value>,
}

impl Problem {
    /// A problem of this kind; `detail` is one sentence for the client about this occurrence.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), instance: None, errors: Vec::new(), extensions: Map::new() }
    }

    /// Body members that break the rules ([`Kind::Validation`]), all in one answer.
    pub fn validation(errors: Vec<FieldError>) -> Self {
        Self::new(Kind::Validation, "The request body has members that are missing, unknown or not valid.")
            .with_errors(errors)
    }

    /// Parts of the path or the query string that are not valid ([`Kind::InvalidParameter`]).
    pub fn parameters(errors: Vec<FieldError>) -> Self {
        Self::new(Kind::InvalidParameter, "The request has parameters that are unknown or not valid.")
            .with_errors(errors)
    }

    /// Names the wrong fields.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    /// Identifies this occurrence: a URI reference.
    #[must_use]
    pub fn with_instance(mut self, instance: impl Into<String>) -> Self {
        self.instance = Some(instance.into());
        self
    }

    /// Adds an extension member (RFC 9457, section 3.2). A name that RFC 9457 or this crate gives a meaning is not
    /// an extension and is left out of the JSON.
    #[must_use]
    pub fn with_extension(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extensions.insert(name.into(), value.into());
        self
    }

    /// Which of the known problems this is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The HTTP status code of the answer that carries this problem.
    pub fn status(&self) -> u16 {
        self.kind.status()
    }

    /// What the client is told about this occurrence.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The fields named so far.
    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    /// The JSON document, to be sent as [`MEDIA_TYPE`].
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings, numbers and JSON values always serialize")
    }
}

const RESERVED: [&str; 6] = ["type", "title", "status", "detail", "instance", "errors"];

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", self.kind.uri())?;
        map.serialize_entry("title", self.kind.title())?;
        map.serialize_entry("status", &self.status())?;
        map.serialize_entry("detail", &self.detail)?;
        if let Some(instance) = &self.instance {
            map.serialize_entry("instance", instance)?;
        }
        if !self.errors.is_empty() {
            map.serialize_entry("errors", &self.errors)?;
        }
        for (name, value) in self.extensions.iter().filter(|(name, _)| !RESERVED.contains(&name.as_str())) {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.status(), self.kind.title(), self.detail)
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_in_order_and_only_when_they_say_something() {
        let bare = Problem::new(Kind::NotFound, "There is no user 7.");
        assert_eq!(
            String::from_utf8(bare.to_json()).unwrap(),
            r#"{"type":"/problems/not-found","title":"Not found","status":404,"detail":"There is no user 7."}"#
        );
        let full = Problem::validation(vec![FieldError::at("/email", "must be an email address")])
            .with_instance("/users")
            .with_extension("limit", 5)
            .with_extension("status", 200);
        let json: Value = serde_json::from_slice(&full.to_json()).unwrap();
        assert_eq!(json["status"], 422, "an extension cannot replace a standard member");
        assert_eq!(json["instance"], "/users");
        assert_eq!(json["limit"], 5);
        assert_eq!(json["errors"], serde_json::json!([{"pointer": "/email", "detail": "must be an email address"}]));
    }
}
