//! One wrong field: where it is and what is wrong.

use serde::Serialize;

/// An element of the extension member `errors`. Either `pointer` or `field` says where it is.
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

    /// The JSON Pointer, for an error in the body.
    pub fn pointer(&self) -> Option<&str> {
        self.pointer.as_deref()
    }

    /// The name of the parameter or header field, for an error outside of the body.
    pub fn name(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// What is wrong.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}
