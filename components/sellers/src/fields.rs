//! The table of the members of a seller that requests may set: their columns, their rules, and in which request.

use std::str::FromStr;

use axum::http::Uri;
use http_api::{Errors, FromJson, MemberList, Members, pointer_to, rules};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::decimal::DecimalRule;

/// Bytes of a body about one seller, at most.
const SELLER_MAX_BYTES: usize = 64 * 1024;
/// Percent, in hundredths.
const COMMISSION: DecimalRule = DecimalRule::hundredths(0, 10_000);
const BUSINESS_TYPES: [&str; 5] = ["individual", "sole_proprietor", "llc", "corporation", "partnership"];
const PAYMENT_METHODS: [&str; 4] = ["bank_transfer", "paypal", "stripe", "check"];

/// The requests of a field, besides `POST /sellers` and `PATCH /sellers/:id`, which take all fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    Profile,
    Banking,
    /// No other request.
    General,
}

/// What a value must be.
#[derive(Clone, Copy, Debug)]
enum Rule {
    /// One line of `min` to `max` characters.
    Line(usize, usize),
    /// Several lines of at most this many characters.
    Lines(usize),
    Email,
    Phone,
    /// An `http` or `https` URL of at most this many characters.
    Url(usize),
    OneOf(&'static [&'static str]),
    Percent,
}

struct Field {
    name: &'static str,
    column: &'static str,
    group: Group,
    rule: Rule,
}

const fn field(name: &'static str, column: &'static str, group: Group, rule: Rule) -> Field {
    Field { name, column, group, rule }
}

const FIELDS: [Field; 19] = [
    field(BUSINESS_NAME, "business_name", Group::General, Rule::Line(2, 255)),
    field("businessType", "business_type", Group::General, Rule::OneOf(&BUSINESS_TYPES)),
    field("businessEmail", "business_email", Group::Profile, Rule::Email),
    field("businessPhone", "business_phone", Group::Profile, Rule::Phone),
    field("taxId", "tax_id", Group::General, Rule::Line(5, 100)),
    field("businessAddress", "business_address", Group::General, Rule::Line(1, 500)),
    field("businessCity", "business_city", Group::General, Rule::Line(1, 100)),
    field("businessState", "business_state", Group::General, Rule::Line(1, 100)),
    field("businessCountry", "business_country", Group::General, Rule::Line(1, 100)),
    field("businessPostalCode", "business_postal_code", Group::General, Rule::Line(1, 20)),
    field("logoUrl", "logo_url", Group::Profile, Rule::Url(500)),
    field("website", "website", Group::Profile, Rule::Url(255)),
    field("description", "description", Group::Profile, Rule::Lines(2000)),
    field("bankName", "bank_name", Group::Banking, Rule::Line(1, 255)),
    field("bankAccountHolder", "bank_account_holder", Group::Banking, Rule::Line(1, 255)),
    field("bankAccountNumber", "bank_account_number", Group::Banking, Rule::Line(1, 255)),
    field("bankRoutingNumber", "bank_routing_number", Group::Banking, Rule::Line(1, 50)),
    field("paymentMethod", "payment_method", Group::Banking, Rule::OneOf(&PAYMENT_METHODS)),
    field("commissionRate", COMMISSION_RATE, Group::General, Rule::Percent),
];

/// What a verification needs, besides the name. `Store::act` and `problems::action_refused` have the same list.
const NEEDED_TO_VERIFY: [&str; 6] =
    ["business_email", "business_phone", "business_address", "business_city", "business_state", "business_country"];
const BUSINESS_NAME: &str = "businessName";
const COMMISSION_RATE: &str = "commission_rate";

impl Field {
    /// Whether `null` removes the value. The others have a value always.
    fn is_removable(&self) -> bool {
        self.name != BUSINESS_NAME && !matches!(self.rule, Rule::OneOf(_) | Rule::Percent)
    }

    /// The value for the column: a text, or null.
    fn check(&self, value: &RawValue) -> Result<Value, String> {
        if let Rule::Percent = self.rule {
            return COMMISSION.of_json(value).map(|percent| percent.to_string().into());
        }
        match serde_json::from_str(value.get()) {
            Ok(Value::String(text)) => self.rule.of_text(text).map(Value::String),
            Ok(Value::Null) if self.is_removable() => Ok(Value::Null),
            _ if self.is_removable() => Err("must be a string or null".to_owned()),
            _ => Err("must be a string".to_owned()),
        }
    }
}

impl Rule {
    fn of_text(self, text: String) -> Result<String, String> {
        match self {
            Self::Line(min, max) => rules::line(text, min, max),
            Self::Lines(max) => rules::lines(text, 1, max),
            Self::Email => rules::email(text),
            Self::Phone => phone(text),
            Self::Url(max) => url(text, max),
            Self::OneOf(names) if names.contains(&text.as_str()) => Ok(text),
            Self::OneOf(names) => Err(format!("must be one of {}", names.join(", "))),
            Self::Percent => Err("must be a number".to_owned()),
        }
    }
}

fn phone(text: String) -> Result<String, String> {
    let is_phone =
        (5..=50).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit() || b" +()-".contains(&byte));
    is_phone.then_some(text).ok_or_else(|| "must have 5 to 50 digits, spaces, +, (, ) or -".to_owned())
}

/// Only the characters of RFC 3986, which are visible ASCII: `Uri` does not check what follows a `#`.
fn url(text: String, max: usize) -> Result<String, String> {
    let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte));
    if !is_visible || !Uri::from_str(&text).is_ok_and(|uri| has_plain_authority(&uri)) {
        return Err("must be an http or https URL".to_owned());
    }
    rules::line(text, 1, max)
}

/// `http` or `https`, a host, perhaps a port, and no user.
fn has_plain_authority(uri: &Uri) -> bool {
    let Some(authority) = uri.authority() else { return false };
    let host = authority.host();
    let has_name = !host.is_empty() && host.split('.').all(|label| !label.is_empty());
    let port = authority.as_str().strip_prefix(host).unwrap_or(":");
    let has_port = port.strip_prefix(':').is_some_and(|digits| digits.parse::<u16>().is_ok());
    matches!(uri.scheme_str(), Some("http" | "https")) && has_name && (port.is_empty() || has_port)
}

/// Checked values by column: texts (decimal numbers, too) and nulls. Statements take them as one JSON parameter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnValues(pub Map<String, Value>);

impl ColumnValues {
    /// Whether a member is removed that a verification needs.
    pub fn removes_needed(&self) -> bool {
        NEEDED_TO_VERIFY.iter().any(|column| self.0.get(*column).is_some_and(Value::is_null))
    }

    /// Whether the commission rate is one of them.
    pub fn has_commission_rate(&self) -> bool {
        self.0.contains_key(COMMISSION_RATE)
    }
}

fn check(members: MemberList, is_allowed: impl Fn(&Field) -> bool, errors: &mut Errors) -> ColumnValues {
    let mut columns = Map::new();
    for (name, value) in members {
        let Some(field) = FIELDS.iter().find(|field| field.name == name && is_allowed(field)) else {
            errors.add(&pointer_to(&name), "is not a known member");
            continue;
        };
        let pointer = pointer_to(field.name);
        if columns.contains_key(field.column) {
            errors.add(&pointer, "is given more than once");
        }
        let checked = errors.check(&pointer, field.check(&value)).unwrap_or_default();
        columns.insert(field.column.to_owned(), checked);
    }
    ColumnValues(columns)
}

fn check_changes(members: MemberList, is_allowed: fn(&Field) -> bool, errors: &mut Errors) -> ColumnValues {
    if members.is_empty() {
        let names: Vec<&str> = FIELDS.iter().filter(|field| is_allowed(field)).map(|field| field.name).collect();
        errors.add("", format!("must have at least one of {}", names.join(", ")));
    }
    check(members, is_allowed, errors)
}

/// The body of `POST /sellers`: all fields; only the name is required.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSeller(pub ColumnValues);

impl FromJson for NewSeller {
    type Raw = Members;
    const MAX_BYTES: usize = SELLER_MAX_BYTES;

    fn check(Members(members): Members, errors: &mut Errors) -> Option<Self> {
        if members.iter().all(|(name, _)| name != BUSINESS_NAME) {
            errors.add(&pointer_to(BUSINESS_NAME), "is missing");
        }
        Some(Self(check(members, |_| true, errors)))
    }
}

/// The body of `PATCH /sellers/:id`: any field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SellerChanges(pub ColumnValues);

/// The body of `PATCH /sellers/:id/profile`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileChanges(pub ColumnValues);

/// The body of `PATCH /sellers/:id/banking`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BankingChanges(pub ColumnValues);

macro_rules! changes {
    ($body:ident, $is_allowed:expr) => {
        impl FromJson for $body {
            type Raw = Members;
            const MAX_BYTES: usize = SELLER_MAX_BYTES;

            fn check(Members(members): Members, errors: &mut Errors) -> Option<Self> {
                Some(Self(check_changes(members, $is_allowed, errors)))
            }
        }
    };
}

changes!(SellerChanges, |_| true);
changes!(ProfileChanges, |field| field.group == Group::Profile);
changes!(BankingChanges, |field| field.group == Group::Banking);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn wrong<T: FromJson + std::fmt::Debug>(body: &Value) -> Vec<String> {
        let problem = T::from_json(body.to_string().as_bytes()).expect_err(&body.to_string());
        assert_eq!(problem.status(), 422);
        problem.wrong_fields().into_iter().map(str::to_owned).collect()
    }

    fn changed(body: &Value) -> Value {
        let SellerChanges(ColumnValues(columns)) =
            SellerChanges::from_json(body.to_string().as_bytes()).expect("valid");
        Value::Object(columns)
    }

    #[test]
    fn values_go_to_their_columns() {
        let body = json!({"businessName": "Acme", "commissionRate": 12.5, "website": null, "description": "a\nb"});
        let expected =
            json!({"business_name": "Acme", "commission_rate": "12.50", "website": null, "description": "a\nb"});
        assert_eq!(changed(&body), expected);
    }

    #[test]
    fn only_optional_texts_can_be_removed() {
        for field in &FIELDS {
            let body = json!({ field.name: null });
            match SellerChanges::from_json(body.to_string().as_bytes()) {
                Ok(changes) => assert!(field.is_removable() && changes.0.0[field.column].is_null()),
                Err(problem) => {
                    assert!(!field.is_removable());
                    assert_eq!(problem.wrong_fields(), [pointer_to(field.name)]);
                }
            }
        }
    }

    #[test]
    fn all_wrong_members_are_named() {
        assert_eq!(wrong::<NewSeller>(&json!({})), ["/businessName"]);
        assert_eq!(
            wrong::<NewSeller>(&json!({"businessName": "A", "userId": 7, "website": 5, "commissionRate": "5"})),
            ["/businessName", "/commissionRate", "/userId", "/website"]
        );
        assert_eq!(wrong::<ProfileChanges>(&json!({})), [""]);
        assert_eq!(wrong::<ProfileChanges>(&json!({"bankName": "B", "website": "https://a.example"})), ["/bankName"]);
        assert_eq!(wrong::<BankingChanges>(&json!({"website": "https://a.example"})), ["/website"]);
        let twice = SellerChanges::from_json(br#"{"taxId":"12345","taxId":"12345"}"#).unwrap_err();
        assert_eq!(twice.wrong_fields(), ["/taxId"]);
        for other in [&b"[]"[..], b"7", b"null"] {
            assert_eq!(SellerChanges::from_json(other).unwrap_err().status(), 422);
        }
    }

    #[test]
    fn phones_and_urls() {
        for good in ["12345", "+49 (30) 123-456", &"1".repeat(50)] {
            assert!(phone(good.to_owned()).is_ok(), "{good}");
        }
        for bad in ["1234", &"1".repeat(51), "12345x", "١٢٣٤٥", "12345\n"] {
            assert!(phone(bad.to_owned()).is_err(), "{bad}");
        }
        let longest = format!("https://a.example/{}", "x".repeat(82));
        for good in ["http://a.example", "https://a.example:8080/b?c=d#e", "http://[::1]:80/", longest.as_str()] {
            assert!(url(good.to_owned(), 100).is_ok(), "{good}");
        }
        let long = format!("{longest}x");
        for bad in [
            "",
            "a.example",
            "/a",
            "ftp://a.example",
            "javascript:alert(1)",
            "https://",
            "https:// a",
            "https://a.example/#\0",
            "https://a.example/#\n",
            "https://a.example/\u{85}",
            "https://a.example/ü",
            "https://a.example/<b>",
            "https://a.example:99999/",
            "https://a.example:",
            "https://user@a.example",
            "https://a@b@c/",
            "https://a..b",
            &long,
        ] {
            assert!(url(bad.to_owned(), 100).is_err(), "{bad:?}");
        }
    }
}
