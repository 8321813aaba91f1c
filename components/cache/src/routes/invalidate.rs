//! `POST /api/cache/invalidate`: removes a key, or what matches a pattern, or belongs to a module, operation or user.

use axum::response::Response;
use http_api::response::json;
use http_api::{Errors, FromJson, JsonBody, NoQuery, Object, Problem, Shared, present};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::described::user_in_json;
use crate::key::Key;
use crate::target::{Target, name, pattern as pattern_rule};

/// The body has exactly one of `key`, `pattern`, `module` (with or without `operation`) and `userId`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct RawTarget {
    #[serde(deserialize_with = "present")]
    key: Option<String>,
    #[serde(deserialize_with = "present")]
    pattern: Option<String>,
    #[serde(deserialize_with = "present")]
    module: Option<String>,
    #[serde(deserialize_with = "present")]
    operation: Option<String>,
    #[serde(deserialize_with = "present")]
    user_id: Option<Value>,
}

impl FromJson for Target {
    type Raw = Object<RawTarget>;
    const MAX_BYTES: usize = 16 * 1024;

    fn check(Object(body): Object<RawTarget>, errors: &mut Errors) -> Option<Self> {
        body.check_combination(errors);
        if !errors.is_empty() {
            return None;
        }
        let RawTarget { key, pattern, module, operation, user_id } = body;
        let key = errors.optional("/key", key, Key::new).map(Self::Key);
        let pattern = errors.optional("/pattern", pattern, pattern_rule).map(Self::Pattern);
        let module = errors.optional("/module", module, name);
        let operation = errors.optional("/operation", operation, name);
        let module = module.map(|module| match operation {
            Some(operation) => Self::Operation(module, operation),
            None => Self::Module(module),
        });
        let user = errors.optional("/userId", user_id, user_in_json).map(Self::User);
        key.or(pattern).or(module).or(user)
    }
}

impl RawTarget {
    fn check_combination(&self, errors: &mut Errors) {
        let members = [
            ("/key", self.key.is_some()),
            ("/pattern", self.pattern.is_some()),
            ("/module", self.module.is_some()),
            ("/userId", self.user_id.is_some()),
        ];
        let given: Vec<_> = members.iter().filter(|(_, is_given)| *is_given).map(|(member, _)| member).collect();
        if given.is_empty() && self.operation.is_none() {
            errors.add("", "must have exactly one of key, pattern, module and userId");
        }
        if given.len() > 1 {
            given.iter().for_each(|member| errors.add(member, "cannot be combined with the others"));
        }
        if self.operation.is_some() && self.module.is_none() {
            errors.add("/operation", "needs module");
        }
    }
}

/// # Errors
/// A bad body; Redis is unavailable.
pub async fn invalidate(app: Shared<App>, _: NoQuery, JsonBody(target): JsonBody<Target>) -> Result<Response, Problem> {
    let invalidated = app.invalidate(&target).await?;
    Ok(json(&json!({ "invalidated": invalidated })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(body: &str) -> Target {
        Target::from_json(body.as_bytes()).expect(body)
    }

    #[test]
    fn each_form_is_accepted() {
        assert_eq!(target(r#"{"key":"a:*"}"#), Target::Key(Key::new("a:*".into()).unwrap()));
        assert_eq!(target(r#"{"pattern":"a:*"}"#), Target::Pattern("a:*".into()));
        assert_eq!(target(r#"{"module":"users"}"#), Target::Module("users".into()));
        let operation = Target::Operation("users".into(), "list".into());
        assert_eq!(target(r#"{"operation":"list","module":"users"}"#), operation);
        assert_eq!(target(r#"{"userId":42}"#), Target::User("42".into()));
        assert_eq!(target(r#"{"userId":"user-123"}"#), Target::User("user-123".into()));
    }

    #[test]
    fn all_invalid_members_are_named() {
        let wrong =
            [r#"{"userId":""}"#, r#"{"userId":null}"#, r#"{"userId":[1]}"#, r#"{"userId":9223372036854775808}"#];
        for body in wrong.into_iter().chain([r#"{"userId":1e3}"#, r#"{"userId":true}"#]) {
            assert_eq!(Target::from_json(body.as_bytes()).expect_err(body).wrong_fields(), ["/userId"], "{body}");
        }
        let both = Target::from_json(br#"{"module":"a:b","operation":"*"}"#).unwrap_err();
        assert_eq!((both.status().as_u16(), both.wrong_fields()), (422, vec!["/module", "/operation"]));
    }
}
