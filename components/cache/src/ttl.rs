//! How long clients may ask entries to live, in query strings and in bodies.

use http_api::{Errors, FromQuery, WholeNumber, query};

/// A number of seconds.
pub type Seconds = u64;

/// Thirty days.
pub const TTL_MAX_S: Seconds = 30 * 24 * 60 * 60;

/// The rule for TTLs.
pub const TTL: WholeNumber = WholeNumber::new(1, TTL_MAX_S, "seconds");

/// The rule for TTLs of described entries: 0 stores nothing.
pub const TTL_OR_NONE: WholeNumber = WholeNumber::new(0, TTL_MAX_S, "seconds");

/// The query string of a route whose only parameter is `ttl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TtlQuery(pub Option<Seconds>);

impl FromQuery for TtlQuery {
    fn check(query: &str, errors: &mut Errors) -> Option<Self> {
        let [ttl] = query::read(query, ["ttl"], errors);
        Some(Self(errors.optional("ttl", ttl, |ttl| TTL.parse(&ttl))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_api::FieldError;

    #[test]
    fn a_ttl_is_whole_seconds_up_to_thirty_days() {
        let ttl = |query: &str| TtlQuery::from_query(query).map(|query| query.0);
        assert_eq!((ttl(""), ttl("ttl=1"), ttl("&ttl=2592000&")), (Ok(None), Ok(Some(1)), Ok(Some(TTL_MAX_S))));
        for bad in ["0", "%2B5", "007", "2592001"] {
            let expected = FieldError::field("ttl", "must be a whole number of seconds from 1 to 2592000");
            assert_eq!(ttl(&format!("ttl={bad}")).unwrap_err().errors(), [expected], "{bad}");
        }
    }
}
