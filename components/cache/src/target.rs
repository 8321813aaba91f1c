//! What can be invalidated, and the rule for the names of modules and operations.

use serde_json::{Value, json};

use crate::key::Key;

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
    /// All entries.
    All,
}

impl Target {
    /// How responses and the log write it.
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

/// The rule for names of modules and operations.
///
/// # Errors
/// The detail: what it must be.
pub fn name(text: String) -> Result<String, String> {
    let is_name = (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    is_name.then_some(text).ok_or_else(|| "must be 1 to 64 letters, digits, dots, hyphens or underscores".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for good in ["users", "getById", "v1.list-all_2", "-", &"n".repeat(64)] {
            assert_eq!(name(good.to_owned()).as_deref(), Ok(good));
        }
        for bad in ["", "a:b", "a b", "a/b", "*", "é", "a\0", "a%20", &"n".repeat(65)] {
            assert!(name(bad.to_owned()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn responses_name_what_was_cleared() {
        assert_eq!(Target::All.to_json(), json!("all"));
        assert_eq!(Target::User(7).to_json(), json!({ "userId": 7 }));
        assert_eq!(Target::Module("m".into()).to_json(), json!({ "module": "m" }));
        assert_eq!(Target::Operation("m".into(), "o".into()).to_json(), json!({ "module": "m", "operation": "o" }));
    }
}
