//! What is to be invalidated.

mod body;

use problem::{FieldError, Problem};
use serde_json::{Value, json};
use spin_adapter::http::query::positive;

use crate::key::Key;
use crate::name::{EXPECTED_NAME, EXPECTED_USER, is_name};
use crate::path::last_segments;

/// Some of the entries in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// One key of this API.
    Key(Key),
    /// The keys of this API that match a Redis glob.
    Pattern(String),
    /// All entries of a module.
    Module(String),
    /// All entries of one operation of a module.
    Operation(String, String),
    /// All entries about or for one user.
    User(i64),
    /// Everything.
    All,
}

impl Target {
    /// The module that the last segment of a path names.
    ///
    /// # Errors
    /// It is not a name.
    pub fn module_in_path(path: &str) -> Result<Self, Problem> {
        let [module] = last_segments(path);
        match module {
            Some(module) if is_name(&module) => Ok(Self::Module(module)),
            _ => Err(Problem::parameters(vec![FieldError::field("module", EXPECTED_NAME)])),
        }
    }

    /// The operation that the last two segments of a path name: a module and its operation.
    ///
    /// # Errors
    /// Those that are not names.
    pub fn operation_in_path(path: &str) -> Result<Self, Problem> {
        let [module, operation] = last_segments(path).map(|segment| segment.filter(|text| is_name(text)));
        match (module, operation) {
            (Some(module), Some(operation)) => Ok(Self::Operation(module, operation)),
            (module, operation) => {
                let wrong = [("module", module.is_none()), ("operation", operation.is_none())];
                let wrong = wrong.into_iter().filter(|(_, is_wrong)| *is_wrong);
                Err(Problem::parameters(wrong.map(|(name, _)| FieldError::field(name, EXPECTED_NAME)).collect()))
            }
        }
    }

    /// The user whose id is the last segment of a path.
    ///
    /// # Errors
    /// It is not an id.
    pub fn user_in_path(path: &str) -> Result<Self, Problem> {
        let [id] = last_segments(path);
        id.and_then(|id| positive(&id))
            .map(Self::User)
            .ok_or_else(|| Problem::parameters(vec![FieldError::field("id", EXPECTED_USER)]))
    }

    /// How an answer names it.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Key(key) => json!({ "key": key.as_str() }),
            Self::Pattern(pattern) => json!({ "pattern": pattern }),
            Self::Module(module) => json!({ "module": module }),
            Self::Operation(module, operation) => json!({ "module": module, "operation": operation }),
            Self::User(id) => json!({ "userId": id }),
            Self::All => json!("all"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_modules_operations_and_users() {
        assert_eq!(Target::module_in_path("/module/%75sers"), Ok(Target::Module("users".into())));
        let operation = Target::operation_in_path("/operation/users/getById");
        assert_eq!(operation, Ok(Target::Operation("users".into(), "getById".into())));
        assert_eq!(Target::user_in_path("/user/42"), Ok(Target::User(42)));
    }

    #[test]
    fn paths_that_name_nothing_are_told() {
        let fields = |target: Result<Target, Problem>| {
            let problem = target.unwrap_err();
            let json: Value = serde_json::from_slice(&problem.to_json()).unwrap();
            let errors = json["errors"].as_array().unwrap();
            (
                problem.status(),
                errors.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect::<Vec<_>>(),
            )
        };
        for bad in ["a:b", "*", "a%20b", "%FF", "%", ""] {
            let path = |kind: &str| format!("/{kind}/{bad}");
            assert_eq!(fields(Target::module_in_path(&path("module"))), (400, vec!["module".to_owned()]), "{bad}");
            let both = fields(Target::operation_in_path(&format!("{}/{bad}", path("operation"))));
            assert_eq!(both, (400, vec!["module".to_owned(), "operation".to_owned()]), "{bad}");
            assert_eq!(fields(Target::user_in_path(&path("user"))), (400, vec!["id".to_owned()]), "{bad}");
        }
    }

    #[test]
    fn answers_name_what_was_cleared() {
        assert_eq!(Target::All.to_json(), json!("all"));
        assert_eq!(Target::User(7).to_json(), json!({ "userId": 7 }));
        assert_eq!(Target::Module("m".into()).to_json(), json!({ "module": "m" }));
        assert_eq!(Target::Operation("m".into(), "o".into()).to_json(), json!({ "module": "m", "operation": "o" }));
    }
}
