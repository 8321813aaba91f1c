//! Which events a reader wants.

use events::Received;

/// Which events a reader wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// At least one of them must match the type. Empty: the reader wants all types.
    pub kinds: Vec<Pattern>,
    /// It must match the subject. `None`: the reader wants all subjects.
    pub subject: Option<Pattern>,
}

/// A text, or the beginning of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// This text.
    Exactly(String),
    /// All texts that begin like this.
    BeginsWith(String),
}

impl Filter {
    /// Whether the reader wants this event.
    pub fn matches(&self, event: &Received) -> bool {
        (self.kinds.is_empty() || self.kinds.iter().any(|kind| kind.matches(&event.kind)))
            && self.subject.as_ref().is_none_or(|subject| subject.matches(&event.subject))
    }
}

impl Pattern {
    /// The pattern that a client wrote: with `*` at the end it is a beginning.
    pub fn new(text: &str) -> Self {
        match text.strip_suffix('*') {
            Some(beginning) => Self::BeginsWith(beginning.to_owned()),
            None => Self::Exactly(text.to_owned()),
        }
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exactly(expected) => text == expected,
            Self::BeginsWith(beginning) => text.starts_with(beginning),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, subject: &str) -> Received {
        Received { id: events::StreamId::ZERO, kind: kind.into(), subject: subject.into(), json: String::new() }
    }

    #[test]
    fn one_of_the_types_and_the_subject_must_match() {
        let filter =
            Filter { kinds: vec![Pattern::new("a.b"), Pattern::new("c.*")], subject: Some(Pattern::new("users/4*")) };
        for (kind, subject) in [("a.b", "users/4"), ("c.", "users/42"), ("c.d", "users/4/x")] {
            assert!(filter.matches(&event(kind, subject)), "{kind} {subject}");
        }
        for (kind, subject) in [("a.bc", "users/4"), ("c", "users/4"), ("a.b", "users/"), ("a.b", "")] {
            assert!(!filter.matches(&event(kind, subject)), "{kind} {subject}");
        }
        assert!(Filter::default().matches(&event("x", "")));
        assert!(Filter { kinds: vec![Pattern::new("*")], subject: None }.matches(&event("x", "")));
    }
}
