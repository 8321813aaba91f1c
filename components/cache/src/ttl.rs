//! How long clients may ask entries to live, in query strings and in bodies.

use http_api::{Errors, FromQuery, WholeNumber, query};

/// A number of seconds.
pub type Seconds = u64;

/// Thirty days.
pub const TTL_MAX_S: Seconds = 30 * 24 * 60 * 60;

/// The rule for TTLs.
pub const TTL: WholeNumber = WholeNumber::new(1, TTL_MAX_S, "seconds");

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
        let ttl = |query: &str| TtlQuery::from_query(query).unwrap().0;
        assert_eq!(ttl(""), None);
        assert_eq!(ttl("ttl=1"), Some(1));
        assert_eq!(ttl("&ttl=2592000&"), Some(2_592_000));
    }

    #[test]
    fn wrong_parameters_are_named() {
        for bad in ["0", "-1", "abc", "1.5", "", "%2B5", "007", "2592001", "1e3", "99999999999999999999"] {
            let problem = TtlQuery::from_query(&format!("ttl={bad}")).unwrap_err();
            let expected = FieldError::field("ttl", "must be a whole number of seconds from 1 to 2592000");
            assert_eq!((problem.status().as_u16(), problem.errors()), (400, &[expected][..]), "{bad}");
        }
        let problem = TtlQuery::from_query("ttl=5&ttl=5&TTL=5").unwrap_err();
        assert_eq!(
            problem.errors(),
            [
                FieldError::field("ttl", "is given more than once"),
                FieldError::field("TTL", "is not a parameter of this route")
            ]
        );
    }

    #[test]
    fn members_have_the_bounds_of_parameters() {
        let ttl = |text: &str| TTL.of_json(serde_json::from_str(text).unwrap()).ok();
        assert_eq!(ttl("1"), Some(1));
        assert_eq!(ttl("2592000"), Some(TTL_MAX_S));
        for bad in ["0", "-1", "1.5", "60.0", "2592001", "1e30"] {
            assert_eq!(ttl(bad), None, "{bad}");
        }
    }
}
