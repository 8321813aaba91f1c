//! Query strings: every parameter must be one that the route knows, and be given once.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use problem::{FieldError, Problem};
use spin_adapter::http::Failure;

use crate::name::positive;
use crate::ttl::{self, Seconds};

/// The parameters of `names` in their order, as far as they are given. Whatever else is there goes to `errors`.
///
/// `query` is the query string without its question mark.
pub fn read<const N: usize>(query: &str, names: [&str; N], errors: &mut Vec<FieldError>) -> [Option<String>; N] {
    let mut values = [const { None }; N];
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match names.iter().position(|known| *known == name) {
            Some(at) if values[at].is_none() => values[at] = Some(value.into_owned()),
            Some(_) => errors.push(FieldError::field(name, "is given more than once")),
            None => errors.push(FieldError::field(name, "is not a parameter of this route")),
        }
    }
    values
}

/// The value of parameter `name` as a number from 1 to `max`; if it is not, that goes to `errors`.
pub fn number(name: &str, value: &str, max: u64, errors: &mut Vec<FieldError>) -> Option<u64> {
    let number = positive(value).map(i64::unsigned_abs).filter(|number| *number <= max);
    if number.is_none() {
        errors.push(FieldError::field(name, format!("must be a whole number from 1 to {max}")));
    }
    number
}

/// `outcome`, unless there were errors.
///
/// # Errors
/// The problem that names all of them.
pub fn checked<T>(outcome: T, errors: Vec<FieldError>) -> Result<T, Problem> {
    if errors.is_empty() { Ok(outcome) } else { Err(Problem::parameters(errors)) }
}

/// The query string of a route without parameters: nothing.
#[derive(Clone, Copy, Debug)]
pub struct NoQuery;

impl<S: Send + Sync> FromRequestParts<S> for NoQuery {
    type Rejection = Failure;

    /// # Errors
    /// The problem that names the parameters.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let mut errors = Vec::new();
        let [] = read(parts.uri.query().unwrap_or_default(), [], &mut errors);
        Ok(checked(Self, errors)?)
    }
}

/// The query string of a route whose only parameter is `ttl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TtlQuery(pub Option<Seconds>);

impl TtlQuery {
    fn parse(query: &str) -> Result<Self, Problem> {
        let mut errors = Vec::new();
        let [value] = read(query, ["ttl"], &mut errors);
        let ttl = value.and_then(|value| number("ttl", &value, ttl::MAX_S, &mut errors));
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
            let expected = FieldError::field("ttl", "must be a whole number from 1 to 2592000");
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
