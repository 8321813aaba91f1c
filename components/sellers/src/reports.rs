//! The bodies of what other services report about a seller, besides sales: products and reviews.

use http_api::{Errors, FromJson, Members, Object, pointer_to, present, whole};
use serde::Deserialize;
use serde_json::Number;

use crate::decimal::{DecimalRule, TwoDecimals};

/// Bytes of these bodies, at most.
const MAX_BYTES: usize = 16 * 1024;
/// Ratings in hundredths.
const RATING: DecimalRule = DecimalRule::hundredths(100, 500);
/// How much the number of products may change at once.
const PRODUCTS_MAX: i64 = 1_000_000;

/// The body of `POST /sellers/:id/products`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProductsChange(pub i64);

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawProductsChange {
    #[serde(deserialize_with = "present")]
    change: Option<Number>,
}

impl FromJson for ProductsChange {
    type Raw = Object<RawProductsChange>;
    const MAX_BYTES: usize = MAX_BYTES;

    fn check(Object(body): Object<RawProductsChange>, errors: &mut Errors) -> Option<Self> {
        let rule = |number: Number| {
            let change = whole(&number).and_then(|change| i64::try_from(change).ok());
            let change = change.filter(|change| *change != 0 && (-PRODUCTS_MAX..=PRODUCTS_MAX).contains(change));
            change.ok_or_else(|| format!("must be a whole number from -{PRODUCTS_MAX} to {PRODUCTS_MAX}, and not 0"))
        };
        errors.required("/change", body.change, rule).map(Self)
    }
}

/// The body of `POST /sellers/:id/reviews`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Review(pub TwoDecimals);

impl FromJson for Review {
    type Raw = Members;
    const MAX_BYTES: usize = MAX_BYTES;

    fn check(Members(members): Members, errors: &mut Errors) -> Option<Self> {
        let mut rating = None;
        for (name, value) in members {
            match name.as_str() {
                "rating" if rating.is_none() => rating = Some(value),
                "rating" => errors.add("/rating", "is given more than once"),
                _ => errors.add(&pointer_to(&name), "is not a known member"),
            }
        }
        errors.required("/rating", rating, |rating| RATING.of_json(&rating)).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong<T: FromJson + std::fmt::Debug>(body: &str) -> Vec<String> {
        let problem = T::from_json(body.as_bytes()).expect_err(body);
        assert_eq!(problem.status(), 422, "{body}");
        problem.wrong_fields().into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn small_bodies_have_bounds() {
        assert_eq!(ProductsChange::from_json(br#"{"change":-5}"#), Ok(ProductsChange(-5)));
        for bad in ["0", "1000001", "-1000001", "1.5", "1e30", "\"1\"", "null"] {
            assert_eq!(wrong::<ProductsChange>(&format!(r#"{{"change":{bad}}}"#)), ["/change"], "{bad}");
        }
        assert_eq!(Review::from_json(br#"{"rating":4.5}"#).unwrap().0.to_string(), "4.50");
        for bad in ["0.99", "5.01", "\"5\"", "null"] {
            assert_eq!(wrong::<Review>(&format!(r#"{{"rating":{bad}}}"#)), ["/rating"], "{bad}");
        }
        assert_eq!(wrong::<Review>(r#"{"x":1}"#), ["/x", "/rating"]);
    }
}
