//! Tumbler's events: CloudEvents 1.0 in JSON. docs/events.md of the project lists them all.

use std::borrow::Cow;

use serde::Deserialize;

/// The members of an event that this component uses.
#[derive(Debug, Deserialize)]
pub struct Event<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    subject: Cow<'a, str>,
    #[serde(borrow)]
    traceparent: Option<Cow<'a, str>>,
}

/// Parses an event.
pub fn parse(message: &[u8]) -> Result<Event<'_>, String> {
    serde_json::from_slice(message).map_err(|error| format!("not a CloudEvent: {error}"))
}

impl Event<'_> {
    /// What happened.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// What has changed.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The trace that the event belongs to, if it has one.
    pub fn traceparent(&self) -> Option<&str> {
        self.traceparent.as_deref()
    }

    /// The id of the user whose entry is no longer in the cache, and who still exists.
    pub fn user_to_warm(&self) -> Option<u64> {
        let is_about_the_cache =
            matches!(&*self.kind, "tumbler.user.created" | "tumbler.user.updated" | "tumbler.cache.invalidated");
        // The subject of an invalidation may also be a key, a module, or an operation such as `users/list`.
        let id = self.subject.strip_prefix("users/").filter(|_| is_about_the_cache)?;
        id.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user_of(kind: &str, subject: &str) -> Option<u64> {
        let json = format!(r#"{{"specversion":"1.0","id":"1","source":"/x","type":"{kind}","subject":"{subject}"}}"#);
        parse(json.as_bytes()).expect("valid").user_to_warm()
    }

    #[test]
    fn changed_and_invalidated_users_are_warmed() {
        for kind in ["tumbler.user.created", "tumbler.user.updated", "tumbler.cache.invalidated"] {
            assert_eq!(user_of(kind, "users/42"), Some(42), "{kind}");
        }
    }

    #[test]
    fn everything_else_is_ignored() {
        for (kind, subject) in [
            ("tumbler.user.deleted", "users/42"),
            ("tumbler.seller.updated", "sellers/42"),
            ("tumbler.cache.invalidated", "users"),
            ("tumbler.cache.invalidated", "users/list"),
            ("tumbler.cache.invalidated", "kv/users/42"),
            ("tumbler.cache.cleared", "cache"),
            ("tumbler.user.updated", "users/42/../../admin"),
            ("tumbler.user.updated", "users/-1"),
        ] {
            assert_eq!(user_of(kind, subject), None, "{kind} {subject}");
        }
        assert!(parse(b"{}").is_err() && parse(b"hello").is_err());
        assert_eq!(parse(br#"{"type":"tumbler.user.updated"}"#).expect("valid").user_to_warm(), None);
    }
}
