//! Rules for texts that several services have. A rule is a function for [`Errors`](crate::Errors): its error is the
//! detail that follows the field's name.

use email_address::{EmailAddress, Options};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Octets of an email address, at most (RFC 5321, section 4.5.3.1.3, without the angle brackets).
pub const EMAIL_MAX: usize = 254;

/// The joiners ZWNJ and ZWJ, which show nothing themselves: Persian and Indic scripts and some emoji need them.
const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];

/// A text of one line with `min` to `max` characters (Unicode scalar values), without control characters and invisible
/// ones: PostgreSQL's `text` cannot hold NUL. Surrounding white space and joiners do not count towards the minimum.
///
/// # Errors
/// The detail: what it must be.
pub fn line(text: String, min: usize, max: usize) -> Result<String, String> {
    if text.chars().any(char::is_control) {
        return Err("must not have control characters".to_owned());
    }
    visible(&text)?;
    length(text, min, max)
}

/// As [`line()`], but line feeds, carriage returns and tabs are allowed.
///
/// # Errors
/// The detail: what it must be.
pub fn lines(text: String, min: usize, max: usize) -> Result<String, String> {
    if text.chars().any(|character| character.is_control() && !"\n\r\t".contains(character)) {
        return Err("must not have control characters other than line feeds, carriage returns and tabs".to_owned());
    }
    visible(&text)?;
    length(text, min, max)
}

/// Refuses characters that make a text look like another one: they show nothing, or change the order of others. That is
/// the general category Cf (Unicode Standard Annex 44) except for the joiners, the line and paragraph separators, and
/// the fillers of Hangul. Cf also has the tags in the flags of England, Scotland and Wales: a text cannot have these.
fn visible(text: &str) -> Result<(), String> {
    const FILLERS: [char; 4] = ['\u{115f}', '\u{1160}', '\u{3164}', '\u{ffa0}'];
    let is_invisible = |character: char| match character.general_category() {
        GeneralCategory::Format => !JOINERS.contains(&character),
        GeneralCategory::LineSeparator | GeneralCategory::ParagraphSeparator => true,
        _ => FILLERS.contains(&character),
    };
    // ASCII has none: most texts need no table.
    if !text.is_ascii() && text.chars().any(is_invisible) {
        return Err("must not have invisible characters or characters that change the direction of text".to_owned());
    }
    Ok(())
}

fn length(text: String, min: usize, max: usize) -> Result<String, String> {
    if text.trim().chars().filter(|character| !JOINERS.contains(character)).count() < min || text.chars().count() > max
    {
        return Err(format!("must have {min} to {max} characters"));
    }
    Ok(text)
}

/// An address of the plain form `local@domain.tld` in ASCII: no display name, quotes, comments, or literal domain. The
/// domain is a name of the DNS with a top-level domain ([`is_domain`]). Nothing is trimmed or rewritten.
///
/// # Errors
/// The detail: what it must be.
pub fn email(email: String) -> Result<String, String> {
    let options = Options::default().with_required_tld().without_domain_literal().without_display_text();
    let plain = email.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>".contains(&byte));
    let domain = email.rsplit_once('@').map_or("", |(_, domain)| domain);
    if !plain || EmailAddress::parse_with_options(&email, options).is_err() || !is_domain(domain) {
        return Err("must be an email address".to_owned());
    }
    if email.len() > EMAIL_MAX {
        return Err(format!("must have at most {EMAIL_MAX} characters"));
    }
    Ok(email)
}

/// Whether this is the name of a host (RFC 1123, section 2.1) with at least two labels. The last one is alphabetic, so
/// that no IPv4 address is a name, and has at least two letters; or it is an internationalized one (`xn--`, RFC 5890).
fn is_domain(name: &str) -> bool {
    let is_label = |label: &str| {
        let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(is_inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_alphabetic = |label: &str| label.len() >= 2 && label.bytes().all(|byte| byte.is_ascii_alphabetic());
    let is_encoded = |label: &str| label.len() > 4 && label[..4].eq_ignore_ascii_case("xn--");
    let Some((_, last)) = name.rsplit_once('.') else { return false };
    name.split('.').all(is_label) && (is_alphabetic(last) || is_encoded(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_text() {
        let check = |text: &str| line(text.to_owned(), 2, 255).map(drop);
        for good in ["Al", "Zoë O'Brien-Smith", "李小龍", " Al ", &"x".repeat(255), &"é".repeat(255)] {
            assert_eq!(check(good), Ok(()), "{good:?}");
        }
        for bad in ["", "A", "é", "   ", " A ", "a\0b", "a\nb", "a\u{85}b", &"x".repeat(256), &" ".repeat(300)] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
        assert_eq!(lines("a\r\n\tb".to_owned(), 1, 5).as_deref(), Ok("a\r\n\tb"));
        for bad in ["", "\n", "a\0b", "abcdef", "\u{7f}"] {
            assert!(lines(bad.to_owned(), 1, 5).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn texts_have_no_invisible_characters() {
        for good in
            ["\u{6cc}\u{200c}\u{6cc}\u{6cc}", "\u{1f469}\u{200d}\u{1f52c}!", "\u{2764}\u{fe0f}\u{2764}", "e\u{301}e"]
        {
            assert_eq!(line(good.to_owned(), 2, 255).as_deref(), Ok(good));
        }
        for bad in [
            "ada\u{202e}nimda",
            "ad\u{200b}a",
            "\u{feff}ada",
            "a\u{ad}da",
            "ada\u{2066}x\u{2069}",
            "ada\u{2028}x",
            "\u{3164}\u{3164}",
            "ada\u{e0067}",
            "\u{200d}\u{200d}",
            "\u{200c}a\u{200c}",
        ] {
            assert!(line(bad.to_owned(), 2, 255).is_err() && lines(bad.to_owned(), 2, 255).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn emails() {
        let check_email = |email: &str| super::email(email.to_owned()).map(drop);
        let longest = format!("{}@{}.{}.{}.com", "l".repeat(64), "a".repeat(63), "b".repeat(63), "c".repeat(57));
        assert_eq!(longest.len(), EMAIL_MAX);
        for good in [
            "a@b.co",
            "First.Last+tag@Sub.Example.org",
            "o'brien@example.com",
            "x_y@a-b.example",
            "!#$%&'*+-/=?^_`{|}~@b.co",
            "1@1.2.co",
            "a@123.com",
            "a@b--c.museum",
            "a@xn--bcher-kva.xn--p1ai",
            "a@b.XN--P1AI",
            &longest,
        ] {
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
            "a@123.123.123.123",
            "a@b.1com",
            "a@b.c0",
            "a@b_c.com",
            "a@b.c_m",
            "a@b.c",
            "a@b.xn--",
            "a@b-.co",
            "a@b.-co",
            "a@b.co-",
            "a@b.co.",
            "a@.co",
            "a@b!c.co",
            &format!("a@{}.co", "b".repeat(64)),
            &format!("{}@b.co", "l".repeat(65)),
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
}
