//! What can be invalidated, and the rules for names and patterns.

use serde_json::{Value, json};

use crate::key::{Key, check_length};

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
    User(String),
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
            // The id of a row stays a JSON number, because clients read it as one.
            Self::User(user) => match user.parse::<i64>() {
                Ok(id) if id.to_string() == *user => json!({ "userId": id }),
                _ => json!({ "userId": user }),
            },
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

/// The most runs of `*` and the most sets such as `[a-z]` that a pattern may have. For each `*`, Redis may compare the
/// rest of the pattern with every rest of a key.
const STARS_MAX: usize = 8;
const SETS_MAX: usize = 8;

/// The rule for patterns: Redis globs that are not too long and not too complex.
///
/// # Errors
/// The detail: what it must be.
pub fn pattern(text: String) -> Result<String, String> {
    let text = check_length(text)?;
    let (mut stars, mut sets) = (0, 0);
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            // Redis treats a run of stars as one.
            b'*' if bytes.peek() != Some(&b'*') => stars += 1,
            b'[' => {
                sets += 1;
                while let Some(byte) = bytes.next().filter(|byte| *byte != b']') {
                    if byte == b'\\' {
                        bytes.next();
                    }
                }
            }
            _ => {}
        }
    }
    if stars > STARS_MAX || sets > SETS_MAX {
        return Err(format!("must have at most {STARS_MAX} of * and at most {SETS_MAX} sets in brackets"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_not_too_complex() {
        let is_pattern = |text: &str| pattern(text.to_owned()).is_ok();
        for good in [
            "*",
            "a:*:b:*",
            &"*a".repeat(8),
            &"[ab]".repeat(8),
            &"*".repeat(500),
            &"\\*\\[".repeat(100),
            "[*****a*b*c*d*e*f*g*h*i]",
            "[\\]*]",
            "[",
            "\\",
        ] {
            assert!(is_pattern(good), "{good}");
        }
        for bad in [&*"*a".repeat(9), &"[ab]".repeat(9), &"a*?".repeat(100), &"*[a-z]".repeat(64), "", &"a".repeat(513)]
        {
            assert!(!is_pattern(bad), "{bad}");
        }
    }

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
        assert_eq!(Target::User("7".into()).to_json(), json!({ "userId": 7 }));
        assert_eq!(Target::User("07".into()).to_json(), json!({ "userId": "07" }));
        assert_eq!(Target::Module("m".into()).to_json(), json!({ "module": "m" }));
        assert_eq!(Target::Operation("m".into(), "o".into()).to_json(), json!({ "module": "m", "operation": "o" }));
    }
}
