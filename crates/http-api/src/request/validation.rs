//! One way to check input: a collector that reports all broken rules at once.

use std::fmt::Write;
use std::ops::RangeInclusive;

use crate::problem::{FieldError, Problem};

/// Collects broken rules, for a body or for parameters. A *rule* is a function from a raw value to a checked one, or to
/// a detail that follows the field's name: "must have 2 to 255 characters". `Ok` is the rule that accepts every value.
///
/// ```
/// # use http_api::{Errors, FieldError, WholeNumber};
/// const AGE: WholeNumber = WholeNumber::new(1, 150, "years");
/// let mut errors = Errors::in_body();
/// let age = errors.required("/age", Some("200".to_owned()), |age| AGE.parse(&age));
/// let name = errors.optional("/name", None::<String>, Ok); // any text
/// let problem = errors.finish(age.map(|age| (age, name))).unwrap_err();
/// assert_eq!(problem.errors(), [FieldError::at("/age", "must be a whole number of years from 1 to 150")]);
/// ```
#[derive(Debug)]
pub struct Errors {
    list: Vec<FieldError>,
    is_body: bool,
    /// The path of the element that [`Self::each`] checks. It is put before the field.
    prefix: String,
}

/// How many broken rules are listed.
const LISTED_MAX: usize = 100;

impl Errors {
    /// For a request body: fields are JSON pointers (`/roles/0`; the empty one is the whole document).
    pub fn in_body() -> Self {
        Self { list: Vec::new(), is_body: true, prefix: String::new() }
    }

    /// For the path, the query string or the header: fields are names of parameters or header fields.
    pub fn in_parameters() -> Self {
        Self { list: Vec::new(), is_body: false, prefix: String::new() }
    }

    /// Adds a broken rule. Those beyond the hundredth are not listed: a body of unknown members would get a response
    /// that is larger than the body.
    pub fn add(&mut self, field: &str, detail: impl Into<String>) {
        if self.list.len() >= LISTED_MAX {
            return;
        }
        let field = [&self.prefix, field].concat();
        self.list.push(if self.is_body { FieldError::at(field, detail) } else { FieldError::field(field, detail) });
    }

    /// The value of `outcome`; its error is added as a broken rule.
    pub fn check<T>(&mut self, field: &str, outcome: Result<T, String>) -> Option<T> {
        outcome.map_err(|detail| self.add(field, detail)).ok()
    }

    /// The checked value of a field that must be given.
    pub fn required<T, U>(
        &mut self,
        field: &str,
        value: Option<T>,
        rule: impl FnOnce(T) -> Result<U, String>,
    ) -> Option<U> {
        if value.is_none() {
            self.add(field, "is missing");
        }
        self.optional(field, value, rule)
    }

    /// The checked value of a field that may be absent.
    pub fn optional<T, U>(
        &mut self,
        field: &str,
        value: Option<T>,
        rule: impl FnOnce(T) -> Result<U, String>,
    ) -> Option<U> {
        self.check(field, rule(value?))
    }

    /// Checks each element of the array `field`. What `check` adds has the element's index before its field, as in
    /// `/3/email`.
    pub fn each<T, U>(
        &mut self,
        field: &str,
        elements: Vec<T>,
        mut check: impl FnMut(&mut Self, T) -> Option<U>,
    ) -> Option<Vec<U>> {
        let outer = self.prefix.len();
        let count = elements.len();
        let mut checked = Vec::with_capacity(count);
        for (index, element) in elements.into_iter().enumerate() {
            write!(self.prefix, "{field}/{index}").expect("a String takes any text");
            checked.extend(check(self, element));
            self.prefix.truncate(outer);
        }
        (checked.len() == count).then_some(checked)
    }

    /// Whether no rule is broken so far.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Appends the broken rules of `other`.
    pub fn append(&mut self, mut other: Self) {
        self.list.append(&mut other.list);
    }

    /// The checked input. It may be `None` only if a rule was broken.
    ///
    /// # Errors
    /// The problem with all broken rules: 422 for a body, 400 for parameters.
    pub fn finish<T>(self, checked: Option<T>) -> Result<T, Problem> {
        match checked {
            Some(checked) if self.list.is_empty() => Ok(checked),
            None if self.list.is_empty() => Err(Problem::internal("input was rejected without a broken rule")),
            _ if self.is_body => Err(Problem::validation(self.list)),
            _ => Err(Problem::parameters(self.list)),
        }
    }
}

/// A rule for whole numbers in bodies and in parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WholeNumber {
    bounds: RangeInclusive<u64>,
    unit: &'static str,
}

impl WholeNumber {
    /// Numbers from `min` to `max` of `unit` ("seconds"; may be empty).
    pub const fn new(min: u64, max: u64, unit: &'static str) -> Self {
        Self { bounds: min..=max, unit }
    }

    /// Parses `text`: decimal digits without sign or leading zeros, so each number has only one spelling.
    ///
    /// # Errors
    /// The detail: what it must be.
    pub fn parse(&self, text: &str) -> Result<u64, String> {
        let is_canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
        self.bounded(is_canonical.then(|| text.parse().ok()).flatten())
    }

    /// Checks a JSON number: see [`whole`].
    ///
    /// # Errors
    /// The detail: what it must be.
    pub fn of_json(&self, number: serde_json::Number) -> Result<u64, String> {
        self.bounded(whole(&number).and_then(|number| number.try_into().ok()))
    }

    fn bounded(&self, number: Option<u64>) -> Result<u64, String> {
        number.filter(|number| self.bounds.contains(number)).ok_or_else(|| {
            let of = if self.unit.is_empty() { "" } else { " of " };
            format!("must be a whole number{of}{} from {} to {}", self.unit, self.bounds.start(), self.bounds.end())
        })
    }
}

/// 2^50. serde_json may round a fraction or an exponent to a neighbour of the nearest floating-point number. Below this
/// limit such a neighbour is not whole, so the number is refused, and never taken for another one.
const EXACT_MAX: f64 = 1_125_899_906_842_624.0;

/// The value of a JSON number, if it is whole. `60`, `60.0` and `6e1` are the same number (RFC 8259, section 6).
/// Numbers of 2^50 and more must be written with digits only. A number that differs from a whole one by less than a
/// double can express, such as `1e-400` from 0, counts as that.
pub fn whole(number: &serde_json::Number) -> Option<i128> {
    let of_float = |float: f64| (float.fract() == 0.0 && float.abs() < EXACT_MAX).then_some(float as i128);
    number.as_i128().or_else(|| number.as_f64().and_then(of_float))
}

/// The greatest id of a row: PostgreSQL's `bigint`.
const ID_MAX: u64 = i64::MAX as u64;

/// The rule for ids of rows: 1 to 9223372036854775807.
///
/// # Errors
/// The detail: what it must be.
pub fn row_id(text: &str) -> Result<i64, String> {
    WholeNumber::new(1, ID_MAX, "").parse(text).map(u64::cast_signed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn even(number: u64) -> Result<u64, String> {
        number.is_multiple_of(2).then_some(number).ok_or_else(|| "must be even".to_owned())
    }

    #[test]
    fn all_broken_rules_are_reported_in_their_order() {
        let mut errors = Errors::in_body();
        assert_eq!(errors.required("/a", Some(1), even), None);
        assert_eq!(errors.required("/b", None, even), None);
        assert_eq!(errors.optional("/c", None, even), None);
        assert_eq!(errors.optional("/d", Some(2), even), Some(2));
        assert_eq!(errors.each("/e", vec![2, 3], |errors, number| errors.check("", even(number))), None);
        errors.each("/f", vec![()], |errors, ()| errors.required("/g", None, even));
        errors.add("/h", "is odd");
        let problem = errors.finish(Some(())).unwrap_err();
        assert_eq!(problem.status(), 422);
        let expected = [
            FieldError::at("/a", "must be even"),
            FieldError::at("/b", "is missing"),
            FieldError::at("/e/1", "must be even"),
            FieldError::at("/f/0/g", "is missing"),
            FieldError::at("/h", "is odd"),
        ];
        assert_eq!(problem.errors(), expected);
    }

    #[test]
    fn parameters_are_named_and_answered_400() {
        let mut errors = Errors::in_parameters();
        assert_eq!(errors.optional("limit", Some(3), even), None);
        assert_eq!(errors.each("ids", vec![2, 3], |errors, id| errors.check("", even(id))), None);
        let mut more = Errors::in_parameters();
        more.add("x", "is not a parameter of this route");
        errors.append(more);
        let problem = errors.finish::<()>(None).unwrap_err();
        let expected = [
            FieldError::field("limit", "must be even"),
            FieldError::field("ids/1", "must be even"),
            FieldError::field("x", "is not a parameter of this route"),
        ];
        assert_eq!((problem.status().as_u16(), problem.errors()), (400, &expected[..]));
    }

    #[test]
    fn without_a_broken_rule_the_input_passes() {
        let mut errors = Errors::in_body();
        let all = errors.each("", vec![2, 4], |errors, number| errors.check("", even(number)));
        assert!(errors.is_empty());
        assert_eq!(errors.finish(all), Ok(vec![2, 4]));
        assert_eq!(Errors::in_body().finish::<()>(None).unwrap_err().status(), 500);
    }

    #[test]
    fn a_whole_number_has_one_text_and_bounds() {
        let number = WholeNumber::new(0, u64::MAX, "");
        assert_eq!((number.parse("0"), number.parse("18446744073709551615")), (Ok(0), Ok(u64::MAX)));
        let limit = WholeNumber::new(1, 9, "entries");
        assert_eq!(limit.parse("9"), Ok(9));
        for bad in ["", "0", "01", "+1", "-1", "abc", "1.0", "1e0", " 1", "10", "1x", "١", "18446744073709551617"] {
            assert_eq!(limit.parse(bad), Err("must be a whole number of entries from 1 to 9".to_owned()), "{bad:?}");
        }
        let json = |text: &str| limit.of_json(serde_json::from_str(text).unwrap()).ok();
        assert_eq!(json("9"), Some(9));
        for bad in ["0", "-1", "1.5", "10", "1e30", "18446744073709551617"] {
            assert_eq!(json(bad), None, "{bad}");
        }
    }

    /// RFC 8259, section 6: the value counts, not how it is written.
    #[test]
    fn a_whole_number_in_json_may_be_written_in_any_way() {
        let whole = |text: &str| whole(&serde_json::from_str(text).expect(text));
        for text in ["60", "60.0", "60.000", "6e1", "6E+1", "600e-1", "0.6e2"] {
            assert_eq!(whole(text), Some(60), "{text}");
        }
        assert_eq!((whole("-3"), whole("-3.0"), whole("-0"), whole("0.0")), (Some(-3), Some(-3), Some(0), Some(0)));
        assert_eq!(whole("18446744073709551615"), Some(i128::from(u64::MAX)));
        assert_eq!(whole("99999999999999.0"), Some(99_999_999_999_999));
        for other in ["60.5", "-0.1", "6e-1", "1e300", "9007199254740991.0", "18446744073709551616"] {
            assert_eq!(whole(other), None, "{other}");
        }
    }

    #[test]
    fn ids_are_those_of_postgresql() {
        assert_eq!((row_id("1"), row_id("9223372036854775807")), (Ok(1), Ok(i64::MAX)));
        for bad in ["", "0", "01", "+1", "-1", "abc", "1.0", "1e3", " 1", "9223372036854775808", "1x", "١"] {
            let expected = "must be a whole number from 1 to 9223372036854775807";
            assert_eq!(row_id(bad), Err(expected.to_owned()), "{bad:?}");
        }
    }
}
