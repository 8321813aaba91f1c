//! The condition of a request as versions of a resource, for an SQL statement.

use super::Preconditions;
use super::tags::{Comparison, Tags};

/// The versions in which a change may happen: those in `only` that are not in `except`. The statement that changes the
/// resource checks them, so that no other change comes between the check and the change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// One of these; `None`: any. An empty list allows no version.
    pub only: Option<Vec<i64>>,
    /// None of these.
    pub except: Vec<i64>,
}

impl Versions {
    /// Any version.
    pub const ANY: Self = Self { only: None, except: Vec::new() };

    /// Whether the change may happen in this version.
    pub fn allow(&self, version: i64) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(&version)) && !self.except.contains(&version)
    }
}

impl Preconditions {
    /// The versions of an existing resource in which these conditions hold. Its tags are those of
    /// [`ETag::of_version`](crate::ETag::of_version).
    pub fn versions(&self) -> Versions {
        let only = match (&self.if_match, &self.if_none_match) {
            // The resource exists.
            (_, Tags::Star) => Some(Vec::new()),
            (Tags::Absent | Tags::Star, _) => None,
            (tags @ Tags::List(_), _) => Some(tags.versions(Comparison::Strong)),
        };
        Versions { only, except: self.if_none_match.versions(Comparison::Weak) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::conditions;
    use super::*;
    use crate::ETag;

    /// What the statement checks is what [`Preconditions::check`] says, for all kinds of fields.
    #[test]
    fn versions_agree_with_the_check_of_the_tag() {
        let fields = [None, Some("*"), Some("\"3\""), Some("W/\"3\""), Some("\"2\", \"4\""), Some("\"x\""), Some("")];
        for if_match in fields {
            for if_none_match in fields {
                let conditions = conditions("PUT", if_match, if_none_match).unwrap();
                for version in 1..=5 {
                    let holds = conditions.check(Some(&ETag::of_version(version))).is_ok();
                    let context = format!("{if_match:?} {if_none_match:?} {version}");
                    assert_eq!(conditions.versions().allow(version), holds, "{context}");
                }
            }
        }
        assert_eq!(conditions("PUT", None, None).unwrap().versions(), Versions::ANY);
    }
}
