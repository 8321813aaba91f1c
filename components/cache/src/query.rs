//! Parameters of query strings.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use problem::{FieldError, Problem};
use spin_adapter::http::Failure;
use spin_adapter::http::query::{checked, positive, read};

use crate::ttl::{self, Seconds};

/// The value of parameter `name` as a number (of what: `unit`) from 1 to `max`; if it is not, that goes to `errors`.
pub fn number(name: &str, value: &str, unit: &str, max: u64, errors: &mut Vec<FieldError>) -> Option<u64> {
    let number = positive(value).map(i64::unsigned_abs).filter(|number| *number <= max);
    if number.is_none() {
        errors.push(FieldError::field(name, format!("must be a whole number of {unit} from 1 to {max}")));
    }
    number
}

/// The query string of a route whose only parameter is `ttl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TtlQuery(pub Option<Seconds>);

impl TtlQuery {
    fn parse(query: &str) -> Result<Self, Problem> {
        let mut errors = Vec::new();
        let [value] = read(query, ["ttl"], &mut errors);
        let ttl = value.and_then(|value| number("ttl", &value, "seconds", ttl::MAX_S, &mut errors));
        checked(Self(ttl), errors)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for TtlQuery {
    type Rejection = Failure;

    /// # Errors
    /// The problem that names the parameters which are not valid.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ttl_is_whole_seconds_up_to_thirty_days() {
        let ttl = |query: &str| TtlQuery::parse(query).unwrap().0;
        assert_eq!(ttl(""), None);
        assert_eq!(ttl("ttl=1"), Some(1));
        assert_eq!(ttl("&ttl=2592000&"), Some(2_592_000));
    }

    #[test]
    fn wrong_parameters_are_named() {
        for bad in ["0", "-1", "abc", "1.5", "", "%2B5", "007", "2592001", "1e3", "99999999999999999999"] {
            let problem = TtlQuery::parse(&format!("ttl={bad}")).unwrap_err();
            let expected = FieldError::field("ttl", "must be a whole number of seconds from 1 to 2592000");
            assert_eq!((problem.status(), problem.errors()), (400, &[expected][..]), "{bad}");
        }
        let problem = TtlQuery::parse("ttl=5&ttl=5&TTL=5").unwrap_err();
        assert_eq!(
            problem.errors(),
            [
                FieldError::field("ttl", "is given more than once"),
                FieldError::field("TTL", "is not a parameter of this route")
            ]
        );
    }
}
