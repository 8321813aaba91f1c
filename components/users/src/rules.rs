//! The rules for the members of a user. Emails have a rule of `http_api`.

use http_api::rules;

/// Roles of a user, at most.
pub const ROLES_MAX: usize = 32;
/// Characters of one role, at most.
pub const ROLE_MAX_CHARS: usize = 64;

/// 2 to 255 characters.
///
/// # Errors
/// What is wrong, in words that follow the member's name; so for all rules.
pub fn name(name: String) -> Result<String, String> {
    rules::line(name, 2, 255)
}

/// At most 32 different roles of 1 to 64 characters, without control characters, invisible
/// characters and surrounding white space.
pub fn roles(roles: Vec<String>) -> Result<Vec<String>, String> {
    if roles.len() > ROLES_MAX {
        return Err(format!("must have at most {ROLES_MAX} elements"));
    }
    for (at, role) in roles.iter().enumerate() {
        rules::line(role.clone(), 1, ROLE_MAX_CHARS).map_err(|detail| format!("element {at} {detail}"))?;
        if role.trim() != role {
            return Err(format!("element {at} must not have surrounding white space"));
        }
        if roles[..at].contains(role) {
            return Err(format!("element {at} is a duplicate"));
        }
    }
    Ok(roles)
}

#[cfg(test)]
mod tests {
    #[test]
    fn roles() {
        let roles = |roles: &[&str]| super::roles(roles.iter().map(|&role| role.to_owned()).collect()).map(drop);
        assert_eq!(roles(&[]), Ok(()));
        assert_eq!(roles(&["user", "admin", "User", "team lead"]), Ok(()));
        for bad in [
            &["user", "user"][..],
            &[""],
            &[" user"],
            &["a\0"],
            &["a\tb"],
            &["a\u{202e}b"],
            &[&"r".repeat(65)],
            &["r"; 33],
        ] {
            assert!(roles(bad).is_err(), "{bad:?}");
        }
    }
}
