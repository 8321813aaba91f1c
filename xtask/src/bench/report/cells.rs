//! The forms of numbers in tables.

use std::time::Duration;

use crate::bench::estimate::Estimate;

/// A number that is not known.
pub const NONE: &str = "–";

/// `text`, or a dash.
pub fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| NONE.into())
}

/// `17,700 (16,900–18,100)`: the median, and its spread unless there was only one round.
pub fn with_spread(estimate: Option<Estimate>, form: impl Fn(f64) -> String) -> String {
    or_dash(estimate.map(|Estimate { median, low, high }| {
        let [median, low, high] = [median, low, high].map(form);
        if low == high { median } else { format!("{median} ({low}–{high})") }
    }))
}

/// The median.
pub fn median(estimate: Option<Estimate>, form: impl Fn(f64) -> String) -> String {
    or_dash(estimate.map(|estimate| form(estimate.median)))
}

pub fn ms(duration: Duration) -> String {
    two_decimals(duration.as_secs_f64() * 1e3)
}

pub fn two_decimals(number: f64) -> String {
    format!("{number:.2}")
}

pub fn one_decimal(number: f64) -> String {
    format!("{number:.1}")
}

/// 0.123 as `12.3`.
pub fn percent(share: f64) -> String {
    one_decimal(share * 100.0)
}

pub fn mib(bytes: u64) -> String {
    format!("{:.0}", bytes as f64 / 1_048_576.0)
}

/// 12345.6 as `12,346`.
pub fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated_by_commas() {
        assert_eq!(
            ["0", "999", "1,000", "65,432", "1,234,567"].map(String::from),
            [0.0, 999.0, 1000.0, 65432.1, 1_234_567.0].map(thousands)
        );
    }

    #[test]
    fn the_spread_follows_the_median() {
        let estimate = Estimate { median: 17_700.4, low: 16_900.0, high: 18_100.0 };
        assert_eq!(with_spread(Some(estimate), thousands), "17,700 (16,900–18,100)");
        assert_eq!(with_spread(Some(Estimate { median: 1.0, low: 1.0, high: 1.0 }), one_decimal), "1.0");
        assert_eq!(with_spread(None, one_decimal), "–");
    }
}
