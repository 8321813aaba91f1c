//! Query strings: every parameter must be one that the route knows, and be given once.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use problem::{FieldError, Problem};

use super::Failure;

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

/// What `parse` makes of the value of parameter `name`, if it is given; what is wrong with it goes to `errors`.
pub fn parsed<T>(
    name: &str,
    value: Option<String>,
    parse: impl FnOnce(&str) -> Result<T, String>,
    errors: &mut Vec<FieldError>,
) -> Option<T> {
    parse(&value?).map_err(|detail| errors.push(FieldError::field(name, detail))).ok()
}

/// Reads a positive number in decimal, without sign or leading zeros: one number, one text.
pub fn positive(text: &str) -> Option<i64> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    canonical.then(|| text.parse().ok()).flatten()
}

/// The number of elements on a page, from 1 to `max`.
///
/// # Errors
/// It is none: what it must be, in words that follow the parameter's name.
pub fn limit(text: &str, max: usize) -> Result<usize, String> {
    let limit = positive(text).and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit <= max);
    limit.ok_or_else(|| format!("must be a whole number from 1 to {max}"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_and_doubled_parameters_are_named() {
        let mut errors = Vec::new();
        let [a, b] = read("b=1&x=2&b=3&%61=%20", ["a", "b"], &mut errors);
        assert_eq!((a.as_deref(), b.as_deref()), (Some(" "), Some("1")));
        let named = |name, detail| FieldError::field(name, detail);
        assert_eq!(errors, [named("x", "is not a parameter of this route"), named("b", "is given more than once")]);
    }

    #[test]
    fn what_is_given_is_parsed_or_an_error() {
        let mut errors = Vec::new();
        let mut parse = |value: Option<&str>| parsed("n", value.map(str::to_owned), |text| limit(text, 9), &mut errors);
        assert_eq!([parse(None), parse(Some("9")), parse(Some("10"))], [None, Some(9), None]);
        assert_eq!(errors, [FieldError::field("n", "must be a whole number from 1 to 9")]);
    }

    #[test]
    fn only_canonical_positive_numbers() {
        assert_eq!(positive("1"), Some(1));
        assert_eq!(positive("9223372036854775807"), Some(i64::MAX));
        for bad in ["", "0", "01", "+1", "-1", "abc", "1.0", "1e3", " 1", "9223372036854775808", "1x", "١"] {
            assert_eq!(positive(bad), None, "{bad:?}");
        }
    }
}
