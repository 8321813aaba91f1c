//! Classes of requests: which policy applies.

use crate::policy::Policy;

/// The name of the class of all requests that have no other class.
const DEFAULT: &str = "default";
/// The name of the class of all requests that may change something.
const WRITE: &str = "write";
/// The name of [`Class::api`].
const API: &str = "api";

/// A class of requests and its policy. A client has one quota per class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    name: String,
    policy: Policy,
}

/// The classes of an application.
///
/// ```
/// # use rate_limit::Classes;
/// let classes = Classes::parse("100/60s", "users=1000/60s, users.write=50/60s, write=200/60s")?;
/// let name = |component, is_write| classes.select(component, is_write).map(|class| class.name());
/// assert_eq!(name("users", true), Some("users.write"));
/// assert_eq!(name("cache", true), Some("write"));
/// assert_eq!(name("users", false), Some("users"));
/// assert_eq!(name("cache", false), Some("default"));
/// # Ok::<(), rate_limit::InvalidClasses>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Classes(Vec<Class>);

/// Which of the two texts of [`Classes::parse`] is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidClasses {
    /// The default policy.
    #[error("must be empty or LIMIT/WINDOW like 100/60s, with a limit from 1 to 1000000 and a window from 1s to 24h")]
    Default,
    /// The overrides.
    #[error(
        "must be a list of CLASS=LIMIT/WINDOW like users=1000/60s, users.write=50/60s, write=200/60s, where a class is a \
         component, COMPONENT.write or write, and occurs once"
    )]
    Overrides,
}

impl Class {
    /// The class of `POST /api/ratelimit/check`, whose callers choose the policy.
    pub fn api(policy: Policy) -> Self {
        Self { name: API.to_owned(), policy }
    }

    /// Its name: lower-case letters, digits, `-` and `.`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its policy.
    pub fn policy(&self) -> Policy {
        self.policy
    }
}

impl Classes {
    /// The classes of these two texts. `default` is a policy, or empty: then requests of no other class are not
    /// limited. `overrides` is a list of `CLASS=POLICY` with commas between them.
    ///
    /// # Errors
    /// Which of the two is not valid.
    pub fn parse(default: &str, overrides: &str) -> Result<Self, InvalidClasses> {
        let mut classes: Vec<Class> = Vec::new();
        let entries = overrides.split(',').map(str::trim).filter(|_| !overrides.trim().is_empty());
        for entry in entries {
            let class = override_of(entry).ok_or(InvalidClasses::Overrides)?;
            if classes.iter().any(|other| other.name == class.name) {
                return Err(InvalidClasses::Overrides);
            }
            classes.push(class);
        }
        if !default.is_empty() {
            let policy = default.parse().map_err(|_| InvalidClasses::Default)?;
            classes.push(Class { name: DEFAULT.to_owned(), policy });
        }
        Ok(Self(classes))
    }

    /// The class of a request to `component`: the first of `COMPONENT.write`, `write`, `COMPONENT` and `default` that
    /// has a policy. The first two are only for requests that may change something (`is_write`). `None`: the request is
    /// not limited.
    pub fn select(&self, component: &str, is_write: bool) -> Option<&Class> {
        let named = |wanted: &dyn Fn(&str) -> bool| self.0.iter().find(|class| wanted(&class.name));
        let of_writes =
            || named(&|name| name.strip_suffix(".write") == Some(component)).or_else(|| named(&|name| name == WRITE));
        is_write
            .then(of_writes)
            .flatten()
            .or_else(|| named(&|name| name == component))
            .or_else(|| named(&|name| name == DEFAULT))
    }
}

fn override_of(entry: &str) -> Option<Class> {
    let (name, policy) = entry.split_once('=')?;
    let component = name.strip_suffix(".write").unwrap_or(name);
    let is_name = component.starts_with(|letter: char| letter.is_ascii_lowercase())
        && component.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    // `api` is the class of `POST /api/ratelimit/check`. `write.write` has no meaning.
    let is_taken = [DEFAULT, API].contains(&component) || (component == WRITE && name != WRITE);
    (is_name && !is_taken).then_some(())?;
    Some(Class { name: name.to_owned(), policy: policy.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_policy_nothing_is_limited() {
        for overrides in ["", " "] {
            let classes = Classes::parse("", overrides).expect("valid");
            assert_eq!((classes.select("users", false), classes.select("users", true)), (None, None));
        }
        let classes = Classes::parse("", "write=5/1m").expect("valid");
        assert_eq!(classes.select("users", false), None);
        assert_eq!(classes.select("users", true).map(Class::name), Some("write"));
    }

    #[test]
    fn a_component_s_own_write_class_comes_first_and_reads_have_none() {
        let classes = Classes::parse("1/1s", "users.write=2/1s,write=3/1s , cache=4/1s").expect("valid");
        let limit = |component, is_write| classes.select(component, is_write).map(|class| class.policy().limit());
        assert_eq!(limit("users", true), Some(2));
        assert_eq!(limit("users", false), Some(1));
        assert_eq!(limit("cache", true), Some(3), "write comes before the component");
        assert_eq!(limit("cache", false), Some(4));
        assert_eq!(limit("write", false), Some(3), "a component named write has the class write for its reads, too");
    }

    #[test]
    fn invalid_texts_say_which_one() {
        for default in ["x", "100", "100/60s,", " 100/60s", "off"] {
            assert_eq!(Classes::parse(default, ""), Err(InvalidClasses::Default), "{default:?}");
        }
        for overrides in [
            ",",
            "users",
            "users=",
            "users=100",
            "=1/1s",
            "users=1/1s,",
            "users=1/1s;cache=1/1s",
            "users=1/1s,users=2/1s",
            "Users=1/1s",
            "users.read=1/1s",
            ".write=1/1s",
            "a b=1/1s",
            "default=1/1s",
            "api=1/1s",
            "api.write=1/1s",
            "write.write=1/1s",
            "users =1/1s",
            "users= 1/1s",
            "users=1/1s=2",
            "\u{e9}=1/1s",
        ] {
            assert_eq!(Classes::parse("1/1s", overrides), Err(InvalidClasses::Overrides), "{overrides:?}");
        }
    }
}
