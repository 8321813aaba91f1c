//! Query strings: each parameter must be one that the route has, and be given once.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use form_urlencoded::Serializer;

use super::validation::Errors;
use crate::problem::Problem;

/// The checked form of a route's query string; [`Query`] is the extractor.
pub trait FromQuery: Sized {
    /// The checked parameters of `query`, a query string without `?`. It may be `None` only if a broken rule was added
    /// to `errors`.
    fn check(query: &str, errors: &mut Errors) -> Option<Self>;

    /// Reads a query string without `?`.
    ///
    /// # Errors
    /// The problem that names every wrong parameter.
    fn from_query(query: &str) -> Result<Self, Problem> {
        let mut errors = Errors::in_parameters();
        let checked = Self::check(query, &mut errors);
        errors.finish(checked)
    }
}

/// The extractor of the query string.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<T: FromQuery, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        T::from_query(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

/// The extractor for a route without parameters, which rejects all of them.
pub type NoQuery = Query<()>;

impl FromQuery for () {
    fn check(query: &str, errors: &mut Errors) -> Option<()> {
        let [] = read(query, [], errors);
        Some(())
    }
}

/// The values of the parameters `names`, in this order; unknown and duplicate parameters go to `errors`. `query` is the
/// query string without `?`.
pub fn read<const N: usize>(query: &str, names: [&str; N], errors: &mut Errors) -> [Option<String>; N] {
    let mut values = [const { None }; N];
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match names.iter().position(|known| *known == name) {
            Some(at) if values[at].is_none() => values[at] = Some(value.into_owned()),
            Some(_) => errors.add(&name, "is given more than once"),
            None => errors.add(&name, "is not a parameter of this route"),
        }
    }
    values
}

/// The query string with the parameter `name` set to `value`, at the end. `query` is a query string without `?`.
pub fn with(query: &str, name: &str, value: &str) -> String {
    let others = form_urlencoded::parse(query.as_bytes()).filter(|(other, _)| other != name);
    Serializer::new(String::new()).extend_pairs(others).append_pair(name, value).finish()
}

/// The query string of those parameters that have a value, without `?`.
pub fn write<'a>(parameters: impl IntoIterator<Item = (&'a str, Option<String>)>) -> String {
    let mut query = Serializer::new(String::new());
    for (name, value) in parameters {
        if let Some(value) = value {
            query.append_pair(name, &value);
        }
    }
    query.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::FieldError;

    #[test]
    fn unknown_and_duplicate_parameters_are_named() {
        let mut errors = Errors::in_parameters();
        let [a, b] = read("b=1&x=2&b=3&%61=%20", ["a", "b"], &mut errors);
        assert_eq!((a.as_deref(), b.as_deref()), (Some(" "), Some("1")));
        let named = |name, detail| FieldError::field(name, detail);
        let problem = errors.finish(Some(())).unwrap_err();
        let expected = [named("x", "is not a parameter of this route"), named("b", "is given more than once")];
        assert_eq!(problem.errors(), expected);
    }

    #[test]
    fn a_parameter_is_replaced() {
        assert_eq!(with("offset=1&a=x%25y&offset=2", "offset", "3"), "a=x%25y&offset=3");
        assert_eq!(with("", "offset", "3"), "offset=3");
    }

    #[test]
    fn parameters_without_a_value_are_left_out() {
        let parameters = [("a", Some("x y&".to_owned())), ("b", None), ("c", Some(String::new()))];
        assert_eq!(write(parameters), "a=x+y%26&c=");
        assert_eq!(write([]), "");
    }
}
