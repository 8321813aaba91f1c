//! Whole numbers in JSON, compared with exact decimal arithmetic.

use http_api::{WholeNumber, row_id, whole};
use serde_json::Number;

/// A number is whole with this value only if that is exactly its value. Parameters have one spelling.
pub fn numbers(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Ok(number) = serde_json::from_str::<Number>(text) {
        let digits_only = text.trim().trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
        let exact = exact(text.trim());
        match whole(&number) {
            // JSON numbers are doubles for most programs (RFC 8259, section 6). The nearest double of a fraction with more
            // digits may be whole, and that of a very small number is 0.
            Some(value) => {
                let is_rounded = digits(text) > 15 || (value == 0 && text.trim().parse() == Ok(0.0_f64));
                assert!(exact == Some(value) || is_rounded, "{text} is taken for {value}");
            }
            None => assert!(!digits_only || exact.is_none_or(|value| u64::try_from(value).is_err()), "{text}"),
        }
        if let Ok(value) = WholeNumber::new(1, 1_000, "").of_json(number) {
            assert!((1..=1_000).contains(&value), "{text}");
        }
    }
    if let Ok(value) = WholeNumber::new(0, u64::MAX, "").parse(text) {
        assert_eq!(value.to_string(), text);
    }
    if let Ok(id) = row_id(text) {
        assert!(id > 0 && id.to_string() == text);
    }
}

/// How many digits the text has before an exponent, without zeros at its start.
fn digits(text: &str) -> usize {
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    mantissa.chars().filter(char::is_ascii_digit).skip_while(|digit| *digit == '0').count()
}

/// The value of a JSON number, if it is whole and fits.
fn exact(text: &str) -> Option<i128> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or((1, mantissa), |mantissa| (-1, mantissa));
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{integer}{fraction}");
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    // Each trailing zero that is left out adds one to the exponent.
    let zeros = (digits.len() - significant.len()) as i128;
    let exponent: i128 = exponent.parse::<i64>().ok()?.into();
    let power = u32::try_from(exponent - fraction.len() as i128 + zeros).ok()?;
    let value: i128 = significant.parse().ok()?;
    value.checked_mul(10_i128.checked_pow(power)?).map(|value| sign * value)
}
