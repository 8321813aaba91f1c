//! The rules for the members of a user.

use email_address::{EmailAddress, Options};

/// Characters (Unicode scalar values) of a name; surrounding white space does not count towards the minimum.
pub const NAME_CHARS: (usize, usize) = (2, 255);
/// Octets of an email address, at most (RFC 5321, section 4.5.3.1.3, without the angle brackets).
pub const EMAIL_MAX: usize = 254;
/// Roles of a user, at most.
pub const ROLES_MAX: usize = 32;
/// Characters of one role, at most.
pub const ROLE_MAX_CHARS: usize = 64;

/// 2 to 255 characters, without control characters (PostgreSQL's `text` cannot hold NUL).
///
/// # Errors
/// What is wrong, in words that follow the member's name; so for all rules.
pub fn name(name: String) -> Result<String, String> {
    if name.chars().any(char::is_control) {
        return Err("must not have control characters".to_owned());
    }
    if name.trim().chars().count() < NAME_CHARS.0 || name.chars().count() > NAME_CHARS.1 {
        return Err(format!("must have {} to {} characters", NAME_CHARS.0, NAME_CHARS.1));
    }
    Ok(name)
}

/// An address of the plain form `local@domain.tld` in ASCII: no display name, quotes, comments, or literal domain.
/// Nothing is trimmed or rewritten.
pub fn email(email: String) -> Result<String, String> {
    let options = Options::default().with_required_tld().without_domain_literal().without_display_text();
    let plain = email.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>".contains(&byte));
    if !plain || EmailAddress::parse_with_options(&email, options).is_err() {
        return Err("must be an email address".to_owned());
    }
    if email.len() > EMAIL_MAX {
        return Err(format!("must have at most {EMAIL_MAX} characters"));
    }
    Ok(email)
}

/// At most 32 different roles of 1 to 64 characters, without control characters and surrounding white space.
pub fn roles(roles: Vec<String>) -> Result<Vec<String>, String> {
    if roles.len() > ROLES_MAX {
        return Err(format!("must have at most {ROLES_MAX} elements"));
    }
    for (at, role) in roles.iter().enumerate() {
        if role.is_empty() || role.chars().count() > ROLE_MAX_CHARS {
            return Err(format!("element {at} must have 1 to {ROLE_MAX_CHARS} characters"));
        }
        if role.trim() != role || role.chars().any(char::is_control) {
            return Err(format!("element {at} must not have control characters or surrounding white space"));
        }
        if roles[..at].contains(role) {
            return Err(format!("element {at} is a duplicate"));
        }
    }
    Ok(roles)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let check_name = |name: &str| super::name(name.to_owned()).map(drop);
        for good in ["Al", "Zoë O'Brien-Smith", "李小龍", " Al ", &"x".repeat(255), &"é".repeat(255)] {
            assert_eq!(check_name(good), Ok(()), "{good:?}");
        }
        for bad in ["", "A", "é", "   ", " A ", "a\0b", "a\nb", "a\u{85}b", &"x".repeat(256), &" ".repeat(300)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn emails() {
        let check_email = |email: &str| super::email(email.to_owned()).map(drop);
        let longest = format!("{}@{}.{}.{}.com", "l".repeat(64), "a".repeat(63), "b".repeat(63), "c".repeat(57));
        assert_eq!(longest.len(), EMAIL_MAX);
        for good in ["a@b.co", "First.Last+tag@Sub.Example.org", "o'brien@example.com", "x_y@a-b.example", &longest] {
            assert_eq!(check_email(good), Ok(()), "{good:?}");
        }
        let too_long = longest.replace(".com", "c.com");
        for bad in [
            "",
            "a",
            "@b.co",
            "a@",
            "a@b",
            "a@b.co ",
            " a@b.co",
            "a b@c.co",
            "a@b..co",
            "a..b@c.co",
            ".a@b.co",
            "a@-b.co",
            "a@b@c.co",
            "\"a b\"@c.co",
            "a@[127.0.0.1]",
            "Al <a@b.co>",
            " <a@b.co>",
            "é@b.co",
            "a@bücher.de",
            "a\0@b.co",
            "a@b.co\n",
            &too_long,
        ] {
            assert!(check_email(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn roles() {
        let roles = |roles: &[&str]| super::roles(roles.iter().map(|&role| role.to_owned()).collect()).map(drop);
        assert_eq!(roles(&[]), Ok(()));
        assert_eq!(roles(&["user", "admin", "User", "team lead"]), Ok(()));
        for bad in [&["user", "user"][..], &[""], &[" user"], &["a\0"], &["a\tb"], &[&"r".repeat(65)], &["r"; 33]] {
            assert!(roles(bad).is_err(), "{bad:?}");
        }
    }
}
