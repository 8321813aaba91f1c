//! The table of problem types: each has a stable URI, a title and a status code. docs/problems.md documents them.

use axum::http::StatusCode;

/// A problem type (RFC 9457, section 3.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The body is not JSON.
    MalformedJson,
    /// A part of the path or of the query string is not valid.
    InvalidParameter,
    /// The request needs credentials, and has none or wrong ones.
    Unauthorized,
    /// The credentials are valid, but do not allow this request.
    Forbidden,
    /// The resource does not exist.
    NotFound,
    /// The resource exists and does not support the method.
    MethodNotAllowed,
    /// The change would break a rule between several resources, such as a unique email address.
    Conflict,
    /// `If-Match` names a version that is not the current one.
    PreconditionFailed,
    /// The body is larger than the route accepts.
    ContentTooLarge,
    /// The body is not of a media type that the route accepts.
    UnsupportedMediaType,
    /// The body is JSON, but not what the route expects.
    Validation,
    /// A fault of this service; the log has the cause.
    Internal,
    /// A server behind this one is unreachable, or its response is unusable.
    BadGateway,
    /// Something that the response needs is unreachable for now.
    Unavailable,
    /// A server behind this one did not answer in time.
    GatewayTimeout,
}

impl Kind {
    /// All kinds, for tests and documentation.
    pub const ALL: [Self; 15] = [
        Self::MalformedJson,
        Self::InvalidParameter,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::PreconditionFailed,
        Self::ContentTooLarge,
        Self::UnsupportedMediaType,
        Self::Validation,
        Self::Internal,
        Self::BadGateway,
        Self::Unavailable,
        Self::GatewayTimeout,
    ];

    /// The stable `type`: a relative reference, the same wherever the API is served.
    pub const fn uri(self) -> &'static str {
        self.row().0
    }

    /// The `title`: the same for every occurrence.
    pub const fn title(self) -> &'static str {
        self.row().1
    }

    /// The status code of the response.
    pub const fn status(self) -> StatusCode {
        self.row().2
    }

    const fn row(self) -> (&'static str, &'static str, StatusCode) {
        match self {
            Self::MalformedJson => ("/problems/malformed-json", "Malformed JSON", StatusCode::BAD_REQUEST),
            Self::InvalidParameter => ("/problems/invalid-parameter", "Invalid parameter", StatusCode::BAD_REQUEST),
            Self::Unauthorized => ("/problems/unauthorized", "Unauthorized", StatusCode::UNAUTHORIZED),
            Self::Forbidden => ("/problems/forbidden", "Forbidden", StatusCode::FORBIDDEN),
            Self::NotFound => ("/problems/not-found", "Not found", StatusCode::NOT_FOUND),
            Self::MethodNotAllowed => {
                ("/problems/method-not-allowed", "Method not allowed", StatusCode::METHOD_NOT_ALLOWED)
            }
            Self::Conflict => ("/problems/conflict", "Conflict", StatusCode::CONFLICT),
            Self::PreconditionFailed => {
                ("/problems/precondition-failed", "Precondition failed", StatusCode::PRECONDITION_FAILED)
            }
            Self::ContentTooLarge => {
                ("/problems/content-too-large", "Content too large", StatusCode::PAYLOAD_TOO_LARGE)
            }
            Self::UnsupportedMediaType => {
                ("/problems/unsupported-media-type", "Unsupported media type", StatusCode::UNSUPPORTED_MEDIA_TYPE)
            }
            Self::Validation => ("/problems/validation", "Validation failed", StatusCode::UNPROCESSABLE_ENTITY),
            Self::Internal => ("/problems/internal", "Internal error", StatusCode::INTERNAL_SERVER_ERROR),
            Self::BadGateway => ("/problems/bad-gateway", "Bad gateway", StatusCode::BAD_GATEWAY),
            Self::Unavailable => ("/problems/unavailable", "Service unavailable", StatusCode::SERVICE_UNAVAILABLE),
            Self::GatewayTimeout => ("/problems/gateway-timeout", "Gateway timeout", StatusCode::GATEWAY_TIMEOUT),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_kind_has_its_own_uri_and_is_documented() {
        let documentation = include_str!("../../../../docs/problems.md");
        let mut uris = HashSet::new();
        for kind in Kind::ALL {
            assert!(uris.insert(kind.uri()), "{} is used twice", kind.uri());
            let row = format!("| `{}` | {} | {} |", kind.uri(), kind.status().as_u16(), kind.title());
            assert!(documentation.contains(&row), "docs/problems.md lacks the row {row}");
        }
    }
}
