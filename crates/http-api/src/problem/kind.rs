//! The table of problem types: each has a stable URI, a title, a status code, and a text that says when it occurs. The
//! routes `/problems` show it, and a test compares it with docs/problems.md.

use axum::http::StatusCode;

/// Makes the enum and the table from one list.
macro_rules! kinds {
    ($($variant:ident $name:literal $status:literal $title:literal $when:literal)*) => {
        /// A problem type (RFC 9457, section 3.1.1).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kind {
            $(#[doc = concat!("When: ", $when, ".")] $variant,)*
        }

        impl Kind {
            /// All of them, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            const fn row(self) -> Row {
                match self {
                    $(Self::$variant => Row {
                        uri: concat!("/problems/", $name),
                        name: $name,
                        status: $status,
                        title: $title,
                        when: $when,
                    },)*
                }
            }
        }
    };
}

struct Row {
    uri: &'static str,
    name: &'static str,
    status: u16,
    title: &'static str,
    when: &'static str,
}

kinds! {
    MalformedJson "malformed-json" 400 "Malformed JSON"
        "the body is not JSON"
    InvalidParameter "invalid-parameter" 400 "Invalid parameter"
        "a part of the path, a query parameter, a header field (`If-Match`, `If-None-Match`, `Content-Range`, \
         `Idempotency-Key`, `Last-Event-ID`), or the `key` in the body of a lock's release or extension is unknown or \
         not valid"
    Unauthorized "unauthorized" 401 "Unauthorized"
        "the route needs a token (`Authorization: Bearer …`), and the request has none or a wrong one: see \
         `WWW-Authenticate`"
    Forbidden "forbidden" 403 "Forbidden"
        "the token is valid, but not for this route: `/admin/...` needs `admin_token`, and other routes an \
         administrator or the owner; or the module of a cache entry is reserved"
    NotFound "not-found" 404 "Not found"
        "nothing has this id, key or name, or there is no such route"
    MethodNotAllowed "method-not-allowed" 405 "Method not allowed"
        "the route does not have this method: see `Allow`"
    Conflict "conflict" 409 "Conflict"
        "the email address belongs to another user, or occurs twice in a batch; the user is a seller already; the \
         state of the seller does not allow the change (`sellerStatus`, `verificationStatus`); it has products or \
         sales (`totalProducts`, `totalSales`); a sale has another currency than the seller's, or is refunded already"
    PreconditionFailed "precondition-failed" 412 "Precondition failed"
        "`If-Match` does not name the current representation, or `If-None-Match` names it: read the resource again, \
         then decide"
    ContentTooLarge "content-too-large" 413 "Content too large"
        "the request body, or the response of an `mget`, would exceed the limit of the route"
    UnsupportedMediaType "unsupported-media-type" 415 "Unsupported media type"
        "the body is not sent as `application/json`, or is compressed (`Content-Encoding`): see `Accept-Post`, \
         `Accept-Patch`, `Accept` and `Accept-Encoding`"
    Validation "validation" 422 "Validation failed"
        "the body is JSON, but members are missing, unknown, of the wrong type or out of range; or the seller lacks \
         members that its verification needs"
    IdempotencyKeyReused "idempotency-key-reused" 422 "Idempotency key reused"
        "the `Idempotency-Key` belongs to an earlier request with another body: choose a new key"
    UserNotFound "user-not-found" 404 "User not found"
        "the user of the token wants to become a seller, and the users service does not know the user"
    UserInactive "user-inactive" 400 "User inactive"
        "the user of the token wants to become a seller, and is not active; `user` is the path of the user"
    UserServiceUnavailable "user-service-unavailable" 503 "Users service unavailable"
        "the users service cannot be reached, or did not respond in time: try again after `Retry-After` seconds"
    UserServiceFailed "user-service-failed" 502 "Users service failed"
        "the response of the users service cannot be used"
    QuotaExceeded "quota-exceeded" 429 "Quota exceeded"
        "the client has sent more requests than its quota allows: try again after `Retry-After` seconds; \
         `violated-policies` names the quota"
    Internal "internal" 500 "Internal error"
        "an error in the service; the log has the reason"
    BadGateway "bad-gateway" 502 "Bad gateway"
        "the origin that fills the cache cannot be reached, or its response cannot be used"
    Unavailable "unavailable" 503 "Service unavailable"
        "PostgreSQL cannot be reached, or Redis where the route needs it (`/metrics` and `/api/events`, too), or an \
         instance has no memory left for such a large request, or another request is searching the keys of Redis, or \
         the variable with a TTL cannot be read: try again after `Retry-After` seconds. Or there are no events, \
         because `events_max_length` is 0"
    GatewayTimeout "gateway-timeout" 504 "Gateway timeout"
        "the origin that fills the cache did not respond in time"
}

impl Kind {
    /// The stable `type`: a relative reference, the same wherever the API is served. `GET` of this path shows the row.
    pub const fn uri(self) -> &'static str {
        self.row().uri
    }

    /// The last segment of [`Kind::uri`].
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// The `title`: the same for every occurrence.
    pub const fn title(self) -> &'static str {
        self.row().title
    }

    /// The status code of the response.
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.row().status).expect("the table has valid status codes")
    }

    /// When it occurs, and what the client can do: one or more clauses. Names of fields and members are in backticks.
    pub const fn when(self) -> &'static str {
        self.row().when
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_has_the_same_table() {
        let documentation = include_str!("../../../../docs/problems.md");
        let documented: Vec<&str> = documentation.lines().filter(|line| line.starts_with("| `/problems/")).collect();
        let row = |kind: &Kind| {
            let status = kind.status().as_u16();
            format!("| `{}` | {status} | {} | {} |", kind.uri(), kind.title(), kind.when())
        };
        assert_eq!(documented, Kind::ALL.iter().map(row).collect::<Vec<_>>());
    }

    #[test]
    fn every_kind_has_its_own_name_and_is_an_error() {
        for (at, kind) in Kind::ALL.iter().enumerate() {
            assert!(Kind::ALL[..at].iter().all(|other| other.name() != kind.name()), "{} is used twice", kind.name());
            assert!(kind.status().is_client_error() || kind.status().is_server_error(), "{}", kind.name());
            assert_eq!(kind.when().matches('`').count() % 2, 0, "{}: a backtick lacks its other one", kind.name());
        }
    }
}
