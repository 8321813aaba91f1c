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
}
