//! The parameters that describe an entry, from a query string or from a JSON object.
//!
//! All values are texts. The order of the names does not matter. A name that is repeated has several values, and their
//! order does matter. In JSON, `{"page": 1, "tag": ["a", "b"]}` is the query string `page=1&tag=a&tag=b`.

use std::collections::BTreeMap;

use http_api::{Errors, MemberList, pointer_to, query};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use serde_json::value::RawValue;

/// Values of one entry, at most.
pub const PARAMS_MAX: usize = 100;
/// Bytes of all names and values of one entry, at most.
pub const PARAMS_BYTES_MAX: usize = 8 * 1024;

/// The parameters of an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Params(BTreeMap<String, Vec<String>>);

impl Params {
    /// Adds a value.
    pub fn add(&mut self, name: String, value: String) {
        self.0.entry(name).or_default().push(value);
    }

    /// Whether they are few and short enough.
    ///
    /// # Errors
    /// The detail: what they must be.
    pub fn check(&self) -> Result<(), String> {
        let count: usize = self.0.values().map(Vec::len).sum();
        let bytes =
            |name: &String, values: &Vec<String>| values.iter().map(|value| name.len() + value.len()).sum::<usize>();
        let bytes: usize = self.0.iter().map(|(name, values)| bytes(name, values)).sum();
        if count > PARAMS_MAX {
            return Err(format!("must have at most {PARAMS_MAX} parameters"));
        }
        if bytes > PARAMS_BYTES_MAX {
            return Err(format!("must have at most {PARAMS_BYTES_MAX} bytes of names and values"));
        }
        Ok(())
    }

    /// Reads the members of a JSON object.
    pub fn from_members(members: MemberList, errors: &mut Errors) -> Option<Self> {
        let mut params = Self::default();
        let count = members.len();
        let mut read = 0;
        for (name, value) in members {
            let pointer = || {
                // A long pointer could make the response larger than the body.
                if name.len() > 64 { "/params".to_owned() } else { ["/params", &pointer_to(&name)].concat() }
            };
            match texts(&value) {
                _ if name.starts_with('_') => errors.add(&pointer(), "must not begin with an underscore"),
                _ if params.0.contains_key(&name) => errors.add(&pointer(), "is given more than once"),
                Some(values) => {
                    read += 1;
                    params.0.insert(name, values);
                }
                None => {
                    errors.add(&pointer(), "must be text, a number, true, false, or an array of them that is not empty")
                }
            }
        }
        if let Err(detail) = params.check() {
            errors.add("/params", detail);
            return None;
        }
        (read == count).then_some(params)
    }

    /// As `Entry::described` takes them.
    pub fn to_json(&self) -> Value {
        let value = |values: &Vec<String>| match values.as_slice() {
            [value] => Value::from(value.as_str()),
            values => Value::from(values.to_vec()),
        };
        Value::Object(self.0.iter().map(|(name, values)| (name.clone(), value(values))).collect())
    }

    /// The query string with the names in their order. `further` is put at its end.
    pub fn to_query(&self, further: Option<(&str, &str)>) -> String {
        let own =
            self.0.iter().flat_map(|(name, values)| values.iter().map(move |value| (name.as_str(), value.as_str())));
        query::write(own.chain(further).map(|(name, value)| (name, Some(value.to_owned()))))
    }
}

/// The names and values in a query string. Usual decoders replace bytes that are not UTF-8, so that different
/// parameters would name the same entry. This one refuses them.
///
/// # Errors
/// The name, and the detail for it.
pub fn pairs(query: &str) -> impl Iterator<Item = Result<(String, String), (String, String)>> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match (decode(name), decode(value)) {
            (Some(name), Some(value)) => Ok((name, value)),
            (name, _) => Err((name.unwrap_or_default(), "must be percent-encoded UTF-8".to_owned())),
        }
    })
}

fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(String::from)
}

/// The texts of a value; `None`: it has none.
fn texts(value: &RawValue) -> Option<Vec<String>> {
    if value.get().starts_with('[') {
        let elements: Vec<&RawValue> = serde_json::from_str(value.get()).ok()?;
        let texts: Option<Vec<String>> = elements.into_iter().map(text).collect();
        return texts.filter(|texts| !texts.is_empty());
    }
    text(value).map(|text| vec![text])
}

/// The text of a string, a number (as it is written), `true` or `false`.
fn text(value: &RawValue) -> Option<String> {
    match value.get().as_bytes().first()? {
        b'"' => serde_json::from_str(value.get()).ok(),
        b'{' | b'[' | b'n' => None,
        _ => Some(value.get().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_api::Members;
    use serde_json::json;

    fn from_query(query: &str) -> Params {
        let mut params = Params::default();
        pairs(query).for_each(|pair| {
            let (name, value) = pair.unwrap();
            params.add(name, value);
        });
        params
    }

    fn from_json(text: &str) -> Result<Params, Vec<String>> {
        let Members(members) = serde_json::from_str(text).unwrap();
        let mut errors = Errors::in_body();
        let params = Params::from_members(members, &mut errors);
        errors.finish(params).map_err(|problem| problem.wrong_fields().into_iter().map(str::to_owned).collect())
    }

    #[test]
    fn the_order_of_names_does_not_matter_and_that_of_values_does() {
        assert_eq!(from_query("b=2&a=1"), from_query("a=1&&b=2&"));
        assert_eq!(from_query("a=x+y&%62"), from_query("b=&a=x%20y"));
        assert_ne!(from_query("a=1&a=2"), from_query("a=2&a=1"));
        assert_ne!(from_query("a=1&a=2"), from_query("a=1%26a%3D2"));
        assert_ne!(from_query(""), from_query("a"));
        assert_eq!(from_query("b=2&a=1&b=1").to_json(), json!({"a": "1", "b": ["2", "1"]}));
    }

    #[test]
    fn json_and_query_strings_describe_the_same() {
        for (json, query) in [
            ("{}", ""),
            (r#"{"page":1,"tag":["a","b"]}"#, "tag=a&page=1&tag=b"),
            (r#"{"on":true,"x":1.50,"e":["1e3"]}"#, "on=true&x=1.50&e=1e3"),
            (r#"{"ü":"a b&"}"#, "%C3%BC=a+b%26"),
        ] {
            assert_eq!(from_json(json).unwrap(), from_query(query), "{json}");
        }
    }

    #[test]
    fn what_is_no_text_is_named() {
        let wrong = from_json(r#"{"a":null,"b":{},"c":[],"d":[[1]],"_e":1,"f":"\ud800","g":1,"g":1}"#);
        assert_eq!(
            wrong.unwrap_err(),
            ["/params/a", "/params/b", "/params/c", "/params/d", "/params/_e", "/params/f", "/params/g"]
        );
    }

    #[test]
    fn they_are_counted_and_measured() {
        let many = |count: usize| from_query(&vec!["a=1"; count].join("&")).check();
        assert!(many(PARAMS_MAX).is_ok() && many(PARAMS_MAX + 1).is_err());
        let long = |bytes: usize| from_query(&format!("a={}", "x".repeat(bytes - 1))).check();
        assert!(long(PARAMS_BYTES_MAX).is_ok() && long(PARAMS_BYTES_MAX + 1).is_err());
        let many = format!("{{\"a\":[{}]}}", vec!["1"; PARAMS_MAX + 1].join(","));
        assert_eq!(from_json(&many).unwrap_err(), ["/params"]);
    }

    #[test]
    fn what_cannot_be_decoded_is_named() {
        for (query, name) in [("a=%FF", "a"), ("%FF=a", ""), ("b=%C3%28", "b")] {
            assert_eq!(pairs(query).next().unwrap().unwrap_err().0, name);
        }
    }

    #[test]
    fn the_query_string_has_one_form() {
        let query = from_query("b=2&a=x+y&b=1").to_query(Some(("_user", "ada&bob")));
        assert_eq!(query, "a=x+y&b=2&b=1&_user=ada%26bob");
        assert_eq!(Params::default().to_query(None), "");
    }
}
