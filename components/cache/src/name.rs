//! Names of modules and operations, and ids of users: what entries are listed and invalidated by.

/// What a name must be, in words.
pub const EXPECTED_NAME: &str = "must be 1 to 64 letters, digits, dots, hyphens or underscores";
/// What a user's id must be, in words.
pub const EXPECTED_USER: &str = "must be a whole number from 1 to 9223372036854775807";

const NAME_MAX: usize = 64;

/// Whether a module or an operation can have this name: ASCII letters, digits, dots, hyphens and underscores.
pub fn is_name(text: &str) -> bool {
    (1..=NAME_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for good in ["users", "getById", "v1.list-all_2", "-", &"n".repeat(NAME_MAX)] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "a:b", "a b", "a/b", "*", "é", "a\0", "a%20", &"n".repeat(NAME_MAX + 1)] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}
