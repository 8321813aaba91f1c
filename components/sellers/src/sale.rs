//! The bodies of what other services report: sales, products, reviews. Also the reason of an administrator.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use chrono::DateTime;
use http_api::response::to_json;
use http_api::{Errors, FieldError, FromJson, Members, Object, Problem, pointer_to, present, rules};
use serde::{Deserialize, Serialize};
use serde_json::Number;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::decimal::{DecimalRule, TwoDecimals};

/// Bytes of these bodies, at most.
const MAX_BYTES: usize = 16 * 1024;
/// Amounts in hundredths. A double has all digits of the largest one.
const AMOUNT: DecimalRule = DecimalRule::hundredths(1, 99_999_999_999_999);
/// Ratings in hundredths.
const RATING: DecimalRule = DecimalRule::hundredths(100, 500);
/// How much the number of products may change at once.
const PRODUCTS_MAX: i64 = 1_000_000;
/// Characters of a product's id and of a category, at most.
const NAME_MAX: usize = 100;
/// Characters of a reason, at most.
const REASON_MAX: usize = 1_000;
/// The first time of a sale: 2000-01-01, in milliseconds since the Unix epoch.
pub const FIRST_MS: i64 = 946_684_800_000;
/// Characters of an Idempotency-Key, at most.
const KEY_MAX: usize = 255;

/// The body of `POST /sellers/:id/sales`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewSale {
    /// How much was paid.
    pub amount: TwoDecimals,
    /// The currency; `None`: that of the seller's other sales.
    pub currency: Option<String>,
    /// What was sold.
    pub product_id: Option<String>,
    /// The category of what was sold.
    pub category: Option<String>,
    /// When, in milliseconds since the Unix epoch; `None`: now.
    pub occurred_ms: Option<i64>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct RawSale {
    #[serde(deserialize_with = "present")]
    amount: Option<Box<RawValue>>,
    #[serde(deserialize_with = "present")]
    currency: Option<String>,
    #[serde(deserialize_with = "present")]
    product_id: Option<String>,
    #[serde(deserialize_with = "present")]
    category: Option<String>,
    #[serde(deserialize_with = "present")]
    occurred_at: Option<String>,
}

impl FromJson for NewSale {
    type Raw = Object<RawSale>;
    const MAX_BYTES: usize = MAX_BYTES;

    fn check(Object(sale): Object<RawSale>, errors: &mut Errors) -> Option<Self> {
        let amount = errors.required("/amount", sale.amount, |amount| AMOUNT.of_json(&amount));
        let currency = errors.optional("/currency", sale.currency, currency);
        let name = |text| rules::line(text, 1, NAME_MAX);
        let product_id = errors.optional("/productId", sale.product_id, name);
        let category = errors.optional("/category", sale.category, name);
        let occurred_ms = errors.optional("/occurredAt", sale.occurred_at, occurred);
        Some(Self { amount: amount?, currency, product_id, category, occurred_ms })
    }
}

/// ISO 4217. Whether there is such a currency is not checked: the list changes.
fn currency(text: String) -> Result<String, String> {
    let is_code = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    is_code.then_some(text).ok_or_else(|| "must be a currency code of three capital letters".to_owned())
}

fn occurred(text: String) -> Result<i64, String> {
    let time = DateTime::parse_from_rfc3339(&text).map_err(|_| "must be a time as in RFC 3339".to_owned())?;
    let ms = time.timestamp_millis();
    if ms < FIRST_MS {
        return Err("must not be before the year 2000".to_owned());
    }
    Ok(ms)
}

impl NewSale {
    /// Checks that the sale is not in the future. The clocks of other services may be ahead by a minute.
    ///
    /// # Errors
    /// It is.
    pub fn occurred_by(self, now_ms: i64) -> Result<Self, Problem> {
        const AHEAD_MS: i64 = 60_000;
        match self.occurred_ms {
            Some(ms) if ms > now_ms + AHEAD_MS => {
                Err(Problem::validation(vec![FieldError::at("/occurredAt", "must not be in the future")]))
            }
            _ => Ok(self),
        }
    }
}

/// The `Idempotency-Key` of a request with a digest of its body, which tells whether the key was used for another body
/// (draft-ietf-httpapi-idempotency-key-header).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The key that the client chose.
    pub key: String,
    /// SHA-256 of the checked body, in hexadecimal: bodies that mean the same have the same digest.
    pub digest: String,
}

/// The extractor of the header field `Idempotency-Key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentKey(Option<String>);

impl SentKey {
    /// The key together with the sale that it was sent with.
    pub fn with(self, sale: &NewSale) -> Option<IdempotencyKey> {
        let digest = Sha256::digest(to_json(sale)).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        self.0.map(|key| IdempotencyKey { key, digest })
    }
}

impl<S: Sync> FromRequestParts<S> for SentKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        const NAME: &str = "idempotency-key";
        let mut values = parts.headers.get_all(NAME).iter();
        let Some(value) = values.next() else { return Ok(Self(None)) };
        let text = value.to_str().ok().filter(|_| values.next().is_none()).and_then(unquoted);
        let key = text.filter(|key| {
            (1..=KEY_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"')
        });
        match key {
            Some(key) => Ok(Self(Some(key.to_owned()))),
            None => Err(Problem::parameters(vec![FieldError::field(
                NAME,
                format!("must be given once and have 1 to {KEY_MAX} visible ASCII characters, with or without quotes"),
            )])),
        }
    }
}

/// The text between the quotes, or the text if there are none. `None`: there is only one quote.
fn unquoted(text: &str) -> Option<&str> {
    match text.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"'),
        None => Some(text),
    }
}

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
            let change = number.as_i64().filter(|change| *change != 0 && change.abs() <= PRODUCTS_MAX);
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

/// The body of `POST /sellers/:id/reject` and `/suspend`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason(pub String);

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawReason {
    #[serde(deserialize_with = "present")]
    reason: Option<String>,
}

impl FromJson for Reason {
    type Raw = Object<RawReason>;
    const MAX_BYTES: usize = MAX_BYTES;

    fn check(Object(body): Object<RawReason>, errors: &mut Errors) -> Option<Self> {
        errors.required("/reason", body.reason, |reason| rules::lines(reason, 1, REASON_MAX)).map(Self)
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
    fn a_sale_has_an_exact_amount() {
        let sale = NewSale::from_json(br#"{"amount": 0.10, "occurredAt": "2026-01-01T01:00:00+01:00"}"#).unwrap();
        assert_eq!((sale.amount.to_string().as_str(), sale.occurred_ms), ("0.10", Some(1_767_225_600_000)));
        assert!(sale.clone().occurred_by(1_767_225_540_000).is_ok());
        assert_eq!(sale.occurred_by(1_767_225_539_999).unwrap_err().wrong_fields(), ["/occurredAt"]);
    }

    #[test]
    fn wrong_members_of_a_sale_are_named() {
        assert_eq!(wrong::<NewSale>("{}"), ["/amount"]);
        let body = r#"{"amount":0,"currency":"eur","productId":"","category":"a\nb","occurredAt":"2026-01-01"}"#;
        let all = ["/amount", "/currency", "/productId", "/category", "/occurredAt"];
        assert_eq!(wrong::<NewSale>(body), all);
        assert_eq!(wrong::<NewSale>(r#"{"amount":1,"occurredAt":"1999-12-31T23:59:59Z"}"#), ["/occurredAt"]);
        for amount in ["\"1\"", "-1", "0.001", "1e12", "null", "[1]"] {
            assert_eq!(wrong::<NewSale>(&format!(r#"{{"amount":{amount}}}"#)), ["/amount"], "{amount}");
        }
    }

    #[test]
    fn equal_sales_have_equal_digests() {
        let key = |body: &str| SentKey(Some("k".to_owned())).with(&NewSale::from_json(body.as_bytes()).expect(body));
        assert_eq!(key(r#"{"amount": 1.5, "category": "a"}"#), key(r#"{"category":"a","amount":1.50}"#));
        for other in [r#"{"amount":1.5}"#, r#"{"amount":1.51,"category":"a"}"#, r#"{"amount":1.5,"productId":"a"}"#] {
            assert_ne!(key(r#"{"amount": 1.5, "category": "a"}"#), key(other), "{other}");
        }
        assert_eq!(SentKey(None).with(&NewSale::from_json(br#"{"amount":1}"#).unwrap()), None);
    }

    #[test]
    fn quotes_of_a_key_do_not_matter() {
        assert_eq!([unquoted("a"), unquoted("\"a\""), unquoted("\"a")], [Some("a"), Some("a"), None]);
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
        assert_eq!(wrong::<Reason>("{}"), ["/reason"]);
        for bad in ["", "  ", &"x".repeat(1001)] {
            assert_eq!(wrong::<Reason>(&format!(r#"{{"reason":"{bad}"}}"#)), ["/reason"], "{bad}");
        }
    }
}
