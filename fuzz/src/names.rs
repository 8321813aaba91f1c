//! Keys, patterns, names, ids, addresses and policies: what is accepted stays within its limits and is read again when it
//! is written.

use events::{Channel, StreamId};
use http_api::rules;
use rate_limit::{Classes, Policy};
use token_lock::{Resource, Token};

use crate::key::{KEY_MAX, Key};
use crate::target;

/// Texts that name or describe something.
pub fn names(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Ok(key) = Key::new(text.to_owned()) {
        assert!(key.as_str() == text && (1..=KEY_MAX).contains(&text.len()));
    }
    if let Ok(resource) = Resource::new(text) {
        assert!(text.len() <= Resource::MAX_BYTES && Resource::from_key(&resource.key()) == Ok(resource.clone()));
    }
    if let Ok(resource) = Resource::from_key(text) {
        assert_eq!(resource.key(), text);
    }
    if let Ok(token) = Token::parse(text) {
        assert!(token.as_str() == text && text.len() == 22 && text.is_ascii());
    }
    if let Ok(channel) = Channel::new(text) {
        assert!(channel.name() == text && text.is_ascii() && text.len() <= 64);
    }
    if let Ok(id) = text.parse::<StreamId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    if let Ok(name) = target::name(text.to_owned()) {
        assert!(name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_graphic() && !b":*/%".contains(&byte)));
    }
    if let Ok(line) = rules::line(text.to_owned(), 2, 16) {
        assert!(line == text && (2..=16).contains(&line.chars().count()) && !line.contains(['\0', '\n', '\u{7f}']));
    }
    if let Ok(lines) = rules::lines(text.to_owned(), 0, 16) {
        assert!(lines == text && lines.chars().count() <= 16 && !lines.contains('\0'));
    }
    if let Ok(email) = rules::email(text.to_owned()) {
        assert!(email == text && email.len() <= rules::EMAIL_MAX && email.is_ascii());
        let (local, domain) = email.rsplit_once('@').expect("it has a domain");
        assert!((1..=64).contains(&local.len()) && domain.contains('.') && !email.contains([' ', '<', '"']), "{email}");
    }
}

/// A pattern that is accepted is not too complex, by a count that works in another way: without what is escaped.
pub fn pattern(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if target::pattern(text.to_owned()).is_err() {
        return;
    }
    assert!((1..=KEY_MAX).contains(&text.len()));
    let (mut stars, mut sets, mut rest) = (0, 0, text);
    while let Some(first) = rest.chars().next() {
        rest = match first {
            '\\' => {
                let mut chars = rest.chars();
                chars.nth(1);
                chars.as_str()
            }
            '*' => {
                stars += 1;
                rest.trim_start_matches('*')
            }
            '[' => {
                sets += 1;
                after_set(&rest[1..])
            }
            _ => &rest[first.len_utf8()..],
        };
    }
    assert!(stars <= 8 && sets <= 8, "{stars} stars, {sets} sets: {text:?}");
}

/// What follows a set: after its first `]` that is not escaped.
fn after_set(set: &str) -> &str {
    let mut is_escaped = false;
    let end = set.bytes().position(|byte| {
        let ends = byte == b']' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    });
    end.map_or("", |end| &set[end + 1..])
}

/// Rate limits: a policy is within its limits, and classes have plain names.
pub fn policy(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Ok(policy) = text.parse::<Policy>() {
        assert!((1..=Policy::LIMIT_MAX).contains(&policy.limit()));
        assert!((Policy::WINDOW_MIN_MS..=Policy::WINDOW_MAX_MS).contains(&policy.window_ms()));
        let written = format!("{}/{}s", policy.limit(), policy.window_ms() / 1_000);
        assert_eq!(written.parse(), Ok(policy));
    }
    let (default, overrides) = text.split_once('\n').unwrap_or(("", text));
    if let Ok(classes) = Classes::parse(default, overrides) {
        for component in ["users", "cache"] {
            for is_write in [false, true] {
                let name = classes.select(component, is_write).map(|class| class.name().to_owned());
                let is_known = |name: &str| ["default", "write", component].contains(&name.trim_end_matches(".write"));
                assert!(name.as_deref().is_none_or(is_known), "{name:?}");
            }
        }
    }
}
