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
    /// An `Idempotency-Key` was used before, with another body.
    IdempotencyKeyReused,
    /// The users service has no such user.
    UserNotFound,
    /// The user is not active.
    UserInactive,
    /// The users service is unreachable for now.
    UserServiceUnavailable,
    /// The response of the users service is unusable.
    UserServiceFailed,
    /// The client has sent more requests than its quota allows.
    QuotaExceeded,
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
    /// The stable `type`: a relative reference, the same wherever the API is served.
    pub const fn uri(self) -> &'static str {
        self.row().0
    }

    /// The `title`: the same for every occurrence.
    pub const fn title(self) -> &'static str {
        self.row().1
    }

    /// The status code of the response.
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.row().2).expect("the table has valid status codes")
    }

    const fn row(self) -> (&'static str, &'static str, u16) {
        match self {
            Self::MalformedJson => ("/problems/malformed-json", "Malformed JSON", 400),
            Self::InvalidParameter => ("/problems/invalid-parameter", "Invalid parameter", 400),
            Self::Unauthorized => ("/problems/unauthorized", "Unauthorized", 401),
            Self::Forbidden => ("/problems/forbidden", "Forbidden", 403),
            Self::NotFound => ("/problems/not-found", "Not found", 404),
            Self::MethodNotAllowed => ("/problems/method-not-allowed", "Method not allowed", 405),
            Self::Conflict => ("/problems/conflict", "Conflict", 409),
            Self::PreconditionFailed => ("/problems/precondition-failed", "Precondition failed", 412),
            Self::ContentTooLarge => ("/problems/content-too-large", "Content too large", 413),
            Self::UnsupportedMediaType => ("/problems/unsupported-media-type", "Unsupported media type", 415),
            Self::Validation => ("/problems/validation", "Validation failed", 422),
            Self::IdempotencyKeyReused => ("/problems/idempotency-key-reused", "Idempotency key reused", 422),
            Self::UserNotFound => ("/problems/user-not-found", "User not found", 404),
            Self::UserInactive => ("/problems/user-inactive", "User inactive", 400),
            Self::UserServiceUnavailable => ("/problems/user-service-unavailable", "Users service unavailable", 503),
            Self::UserServiceFailed => ("/problems/user-service-failed", "Users service failed", 502),
            Self::QuotaExceeded => ("/problems/quota-exceeded", "Quota exceeded", 429),
            Self::Internal => ("/problems/internal", "Internal error", 500),
            Self::BadGateway => ("/problems/bad-gateway", "Bad gateway", 502),
            Self::Unavailable => ("/problems/unavailable", "Service unavailable", 503),
            Self::GatewayTimeout => ("/problems/gateway-timeout", "Gateway timeout", 504),
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
        for kind in [
            Kind::MalformedJson,
            Kind::InvalidParameter,
            Kind::Unauthorized,
            Kind::Forbidden,
            Kind::NotFound,
            Kind::MethodNotAllowed,
            Kind::Conflict,
            Kind::PreconditionFailed,
            Kind::ContentTooLarge,
            Kind::UnsupportedMediaType,
            Kind::Validation,
            Kind::IdempotencyKeyReused,
            Kind::UserNotFound,
            Kind::UserInactive,
            Kind::UserServiceUnavailable,
            Kind::UserServiceFailed,
            Kind::QuotaExceeded,
            Kind::Internal,
            Kind::BadGateway,
            Kind::Unavailable,
            Kind::GatewayTimeout,
        ] {
            assert!(uris.insert(kind.uri()), "{} is used twice", kind.uri());
            let row = format!("| `{}` | {} | {} |", kind.uri(), kind.status().as_u16(), kind.title());
            assert!(documentation.contains(&row), "docs/problems.md lacks the row {row}");
        }
    }
}
