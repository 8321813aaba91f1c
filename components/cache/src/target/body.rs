//! The body of `POST /api/cache/invalidate`.

use problem::{FieldError, Object, Problem};
use serde::Deserialize;
use serde_json::Value;
use spin_adapter::http::query::positive;

use super::Target;
use crate::input::present;
use crate::key::{KEY_MAX, Key};
use crate::name::{EXPECTED_NAME, EXPECTED_USER, is_name};

/// Its members, of which some go together.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Body {
    #[serde(default, deserialize_with = "present")]
    key: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pattern: Option<String>,
    #[serde(default, deserialize_with = "present")]
    module: Option<String>,
    #[serde(default, deserialize_with = "present")]
    operation: Option<String>,
    #[serde(default, deserialize_with = "present")]
    user_id: Option<Value>,
}

impl Target {
    /// Reads the body of `POST /api/cache/invalidate`, which has exactly one of `key`, `pattern`, `module` (perhaps
    /// with `operation`) and `userId`.
    ///
    /// # Errors
    /// Malformed JSON; members that are unknown, not valid or do not go together; none.
    pub fn from_body(bytes: &[u8]) -> Result<Self, Problem> {
        let Object(body): Object<Body> = problem::parse(bytes)?;
        body.check_members()?;
        let Body { key, pattern, module, operation, user_id } = body;
        let mut errors = Vec::new();
        let mut check = |member: &str, valid: bool, expected: &str| {
            if !valid {
                errors.push(FieldError::at(["/", member].concat(), expected));
            }
        };
        let expected_text = format!("must have 1 to {KEY_MAX} bytes");
        let mut target = None;
        if let Some(text) = key {
            target = Key::new(text).map(Self::Key);
            check("key", target.is_some(), &expected_text);
        }
        if let Some(pattern) = pattern {
            check("pattern", (1..=KEY_MAX).contains(&pattern.len()), &expected_text);
            target = Some(Self::Pattern(pattern));
        }
        if let Some(module) = module {
            check("module", is_name(&module), EXPECTED_NAME);
            if let Some(operation) = &operation {
                check("operation", is_name(operation), EXPECTED_NAME);
            }
            target = Some(match operation {
                Some(operation) => Self::Operation(module, operation),
                None => Self::Module(module),
            });
        }
        if let Some(id) = user_id {
            target = user(&id).map(Self::User);
            check("userId", target.is_some(), EXPECTED_USER);
        }
        // After the check of the members, nothing but a value that is not valid leaves no target.
        target.filter(|_| errors.is_empty()).ok_or_else(|| Problem::validation(errors))
    }
}

impl Body {
    fn check_members(&self) -> Result<(), Problem> {
        const ONE_OF: &str = "must have exactly one of key, pattern, module and userId";
        let given = [
            ("/key", self.key.is_some()),
            ("/pattern", self.pattern.is_some()),
            ("/module", self.module.is_some()),
            ("/userId", self.user_id.is_some()),
        ];
        let given: Vec<_> = given.into_iter().filter(|(_, is_given)| *is_given).map(|(member, _)| member).collect();
        let mut errors = match (given.len(), &self.operation) {
            (0, Some(_)) => Vec::new(),
            (0, None) => vec![FieldError::at("", ONE_OF)],
            (1, _) => Vec::new(),
            _ => given.into_iter().map(|member| FieldError::at(member, "cannot be combined with the others")).collect(),
        };
        if self.operation.is_some() && self.module.is_none() {
            errors.push(FieldError::at("/operation", "needs module"));
        }
        if errors.is_empty() { Ok(()) } else { Err(Problem::validation(errors)) }
    }
}

/// A positive integer, also as a string of digits: numbers over 2^53 do not pass through every client unchanged.
fn user(id: &Value) -> Option<i64> {
    match id {
        Value::Number(number) => number.as_i64().filter(|id| *id > 0),
        Value::String(text) => positive(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn target(body: &str) -> Target {
        Target::from_body(body.as_bytes()).expect(body)
    }

    fn refused(body: &str) -> (u16, Vec<String>) {
        let problem = Target::from_body(body.as_bytes()).expect_err(body);
        let pointers = problem.errors().iter().filter_map(FieldError::pointer).map(str::to_owned).collect();
        (problem.status(), pointers)
    }

    fn named(pointers: &[&str]) -> (u16, Vec<String>) {
        (422, pointers.iter().map(|&pointer| pointer.to_owned()).collect())
    }

    #[test]
    fn each_form_is_understood() {
        assert_eq!(target(r#"{"key":"a:*"}"#), Target::Key(Key::new("a:*".into()).unwrap()));
        assert_eq!(target(r#"{"pattern":"a:*"}"#), Target::Pattern("a:*".into()));
        assert_eq!(target(r#"{"module":"users"}"#), Target::Module("users".into()));
        let operation = Target::Operation("users".into(), "list".into());
        assert_eq!(target(r#"{"operation":"list","module":"users"}"#), operation);
        assert_eq!(target(r#"{"userId":42}"#), Target::User(42));
        assert_eq!(target(r#"{"userId":"9223372036854775807"}"#), Target::User(i64::MAX));
    }

    #[test]
    fn members_that_do_not_go_together_are_all_named() {
        assert_eq!(refused("{}"), named(&[""]));
        assert_eq!(refused(r#"{"key":"a","pattern":"b"}"#), named(&["/key", "/pattern"]));
        assert_eq!(refused(r#"{"module":"m","userId":1}"#), named(&["/module", "/userId"]));
        assert_eq!(refused(r#"{"operation":"list"}"#), named(&["/operation"]));
        assert_eq!(refused(r#"{"key":"a","operation":"list"}"#), named(&["/operation"]));
        assert_eq!(refused(r#"{"keys":["a"]}"#), named(&["/keys"]));
        assert_eq!(refused(""), (400, vec![]));
    }

    #[test]
    fn values_that_are_not_valid_are_named() {
        let long = "k".repeat(KEY_MAX + 1);
        for text in ["", &long] {
            assert_eq!(refused(&json!({ "key": text }).to_string()), named(&["/key"]));
            assert_eq!(refused(&json!({ "pattern": text }).to_string()), named(&["/pattern"]));
        }
        assert_eq!(refused(r#"{"key":null}"#), named(&["/key"]));
        assert_eq!(refused(r#"{"pattern":5}"#), named(&["/pattern"]));
        assert_eq!(refused(r#"{"module":"a:b","operation":"*"}"#), named(&["/module", "/operation"]));
        for id in ["0", "-1", "1.5", "1e3", "\"01\"", "\"\"", "\"abc\"", "null", "[1]", "true", "9223372036854775808"] {
            assert_eq!(refused(&format!(r#"{{"userId":{id}}}"#)), named(&["/userId"]), "{id}");
        }
    }
}
