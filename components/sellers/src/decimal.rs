//! Decimal numbers with two decimals: money, rates and ratings. They are decimals from the request to PostgreSQL and
//! from PostgreSQL to the response, and never binary floating-point numbers.

use std::fmt;
use std::ops::RangeInclusive;

use rust_decimal::Decimal;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use spin_adapter::postgres::DatabaseError;

/// Digits after the point.
const SCALE: u32 = 2;

/// A decimal number with two decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TwoDecimals(Decimal);

impl Default for TwoDecimals {
    /// 0.00
    fn default() -> Self {
        Self::new(Decimal::ZERO)
    }
}

/// A rule for decimal numbers in bodies and in parameters: bounds in hundredths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecimalRule {
    hundredths: RangeInclusive<i64>,
}

impl DecimalRule {
    /// Numbers from `min` to `max` hundredths with at most two decimals.
    pub const fn hundredths(min: i64, max: i64) -> Self {
        Self { hundredths: min..=max }
    }

    /// Checks the text of a JSON value, which must be a number.
    ///
    /// # Errors
    /// The detail: what it must be.
    pub fn of_json(&self, value: &RawValue) -> Result<TwoDecimals, String> {
        let text = value.get();
        // Every other JSON value starts with another character.
        let is_number = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
        self.bounded(is_number.then(|| of_number(text)).flatten())
    }

    /// Parses `text`: decimal digits with at most one point.
    ///
    /// # Errors
    /// The detail: what it must be.
    pub fn parse(&self, text: &str) -> Result<TwoDecimals, String> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        self.bounded(is_plain.then(|| of_number(text)).flatten())
    }

    fn bounded(&self, number: Option<Decimal>) -> Result<TwoDecimals, String> {
        let (min, max) = (of_hundredths(*self.hundredths.start()), of_hundredths(*self.hundredths.end()));
        let number = number.filter(|number| number.normalize().scale() <= SCALE && (min..=max).contains(number));
        number.map(TwoDecimals::new).ok_or_else(|| {
            format!("must be a number from {} to {} with at most two decimals", min.normalize(), max.normalize())
        })
    }
}

fn of_number(text: &str) -> Option<Decimal> {
    let number = if text.contains(['e', 'E']) { Decimal::from_scientific(text) } else { Decimal::from_str_exact(text) };
    number.ok()
}

fn of_hundredths(hundredths: i64) -> Decimal {
    Decimal::new(hundredths, SCALE)
}

impl TwoDecimals {
    fn new(mut number: Decimal) -> Self {
        // There is no negative zero.
        if number.is_zero() {
            number = Decimal::ZERO;
        }
        number.rescale(SCALE);
        Self(number)
    }

    /// The number that PostgreSQL writes as `text`.
    ///
    /// # Errors
    /// It is not a number with at most two decimals.
    pub fn of_sql(text: &str) -> Result<Self, DatabaseError> {
        let number = Decimal::from_str_exact(text).ok().filter(|number| number.normalize().scale() <= SCALE);
        number.map(Self::new).ok_or_else(|| DatabaseError::Other("a sum is not a number with two decimals".to_owned()))
    }
}

impl fmt::Display for TwoDecimals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A JSON number with exactly two decimals.
impl Serialize for TwoDecimals {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = RawValue::from_string(self.to_string()).map_err(serde::ser::Error::custom)?;
        text.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: DecimalRule = DecimalRule::hundredths(0, 10_000);
    const AMOUNT: DecimalRule = DecimalRule::hundredths(1, 99_999_999_999_999);

    fn json(rule: &DecimalRule, text: &str) -> Option<String> {
        let value = RawValue::from_string(text.to_owned()).expect(text);
        rule.of_json(&value).ok().map(|number| number.to_string())
    }

    #[test]
    fn numbers_keep_their_value_and_get_two_decimals() {
        for (text, expected) in [
            ("0", "0.00"),
            ("-0", "0.00"),
            ("-0.0", "0.00"),
            ("12.5", "12.50"),
            ("12.500", "12.50"),
            ("1e2", "100.00"),
            ("125E-1", "12.50"),
            ("100", "100.00"),
        ] {
            assert_eq!(json(&RATE, text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(json(&AMOUNT, "999999999999.99").as_deref(), Some("999999999999.99"));
        assert_eq!(json(&AMOUNT, "0.1").as_deref(), Some("0.10"));
    }

    #[test]
    fn other_numbers_and_values_are_refused() {
        for bad in ["100.01", "-0.01", "0.005", "1e3", "1e-3", "1e400", "\"5\"", "null", "[5]", "{}", "true"] {
            assert_eq!(json(&RATE, bad), None, "{bad}");
        }
        for bad in ["0", "1000000000000", "999999999999.999", &"9".repeat(40), &format!("0.{}1", "0".repeat(40))] {
            assert_eq!(json(&AMOUNT, bad), None, "{bad}");
        }
        let value = RawValue::from_string("1000".to_owned()).unwrap();
        let detail = "must be a number from 0 to 100 with at most two decimals";
        assert_eq!(RATE.of_json(&value), Err(detail.to_owned()));
        for bad in ["", ".", "1..2", "+1", "1e1", " 1", "0x1", "-1"] {
            assert!(RATE.parse(bad).is_err(), "{bad}");
        }
        assert_eq!(RATE.parse("4.5").unwrap().to_string(), "4.50");
    }

    #[test]
    fn sums_of_postgresql_become_json_numbers() {
        let sum = TwoDecimals::of_sql("98765432109876.50").unwrap();
        assert_eq!(
            serde_json::to_string(&[sum, TwoDecimals::of_sql("0").unwrap()]).unwrap(),
            "[98765432109876.50,0.00]"
        );
        assert!(TwoDecimals::of_sql("NaN").is_err() && TwoDecimals::of_sql("0.001").is_err());
    }
}
