//! The body of a sale, which another service reports.

use chrono::DateTime;
use http_api::{Errors, FieldError, FromJson, Object, Problem, present, rules};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::decimal::{DecimalRule, TwoDecimals};

/// Bytes of a body, at most.
const MAX_BYTES: usize = 16 * 1024;
/// Amounts in hundredths. A double has all digits of the largest one.
const AMOUNT: DecimalRule = DecimalRule::hundredths(1, 99_999_999_999_999);
/// Characters of a product's id and of a category, at most.
const NAME_MAX: usize = 100;
/// The first time of a sale: 2000-01-01, in milliseconds since the Unix epoch.
pub const FIRST_MS: i64 = 946_684_800_000;

/// The body of `POST /sellers/:id/sales`. Its JSON is digested for the `Idempotency-Key`, and digests are stored: a new
/// member must be absent from the JSON unless a request has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewSale {
    /// How much was paid.
    pub amount: TwoDecimals,
    /// The currency; `None`: that of the seller's other sales.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// What was sold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_id: Option<String>,
    /// The category of what was sold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// When, in milliseconds since the Unix epoch; `None`: now.
    #[serde(skip_serializing_if = "Option::is_none")]
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
    pub fn check_not_in_future(&self, now_ms: i64) -> Result<(), Problem> {
        const AHEAD_MS: i64 = 60_000;
        if self.occurred_ms.is_some_and(|ms| ms > now_ms + AHEAD_MS) {
            return Err(Problem::validation(vec![FieldError::at("/occurredAt", "must not be in the future")]));
        }
        Ok(())
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
        assert!(sale.check_not_in_future(1_767_225_540_000).is_ok());
        assert_eq!(sale.check_not_in_future(1_767_225_539_999).unwrap_err().wrong_fields(), ["/occurredAt"]);
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
}
